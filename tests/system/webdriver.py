"""Drives a browser, Chromium without a window, with the WebDriver protocol
over HTTP."""
import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import time

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"tab": "\ue004", "enter": "\ue007", "escape": "\ue00c",
        "space": "\ue00d", "end": "\ue010", "home": "\ue011",
        "left": "\ue012", "up": "\ue013", "right": "\ue014",
        "down": "\ue015", "shift": "\ue008"}
OPTIONS = ["--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update",
           "--disable-sync", "--hide-scrollbars", "--lang=en",
           "--window-size=1280,800"]


def missing():
    """What is not installed, or None."""
    if not any(map(shutil.which, CHROMIUM)):
        return "no chromium"
    if not shutil.which("chromedriver"):
        return "no chromedriver"
    return None


class Browser:
    """One session. `scratch` is for the profile and all it writes."""

    def __init__(self, scratch):
        self.session = None
        env = dict(os.environ, HOME=scratch, TMPDIR=scratch,
                   XDG_CONFIG_HOME=scratch, XDG_CACHE_HOME=scratch)
        self.log = os.path.join(scratch, "chromedriver.log")
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0", "--log-path=" + self.log], env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        try:
            self.port = self._port()
            self._start(scratch)
        except BaseException:
            self.close()
            raise

    def _port(self):
        for line in self.driver.stdout:
            match = re.search(rb"started successfully on port (\d+)", line)
            if match:
                return int(match.group(1))
        raise AssertionError("chromedriver did not start")

    def _start(self, scratch):
        options = OPTIONS + ["--user-data-dir=" +
                             os.path.join(scratch, "profile")]
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        binary = next(filter(None, map(shutil.which, CHROMIUM)))
        reply = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": binary, "args": options},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = "/session/" + reply["sessionId"]

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            try:
                self.driver.wait(10)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
            self.driver.stdout.close()

    def ask(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            link.request(method, path,
                         json.dumps(body or {}) if method == "POST" else None,
                         {"Content-Type": "application/json"})
            reply = link.getresponse()
            value = json.loads(reply.read())["value"]
        finally:
            link.close()
        if reply.status != 200:
            raise AssertionError("%s %s: %s" % (method, path,
                                                str(value)[:2000]))
        return value

    def post(self, path, **body):
        return self.ask("POST", self.session + path, body)

    def cdp(self, command, **params):
        return self.post("/goog/cdp/execute", cmd=command, params=params)

    def open(self, path):
        self.post("/url", url="file://" + path)

    def js(self, script, *args):
        """The value of an expression; args are arguments[0] and on."""
        return self.post("/execute/sync", script="return (%s)" % script,
                         args=list(args))

    def wait(self, script, *args, seconds=10):
        end = time.monotonic() + seconds
        while not self.js(script, *args):
            assert time.monotonic() < end, "not within time: " + script
            time.sleep(0.05)

    def find(self, css):
        return self.post("/element", using="css selector", value=css)[ELEMENT]

    def click(self, css):
        self.post("/element/%s/click" % self.find(css))

    def click_at(self, x, y):
        self.post("/actions", actions=[{
            "type": "pointer", "id": "mouse", "actions": [
                {"type": "pointerMove", "x": int(x), "y": int(y)},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0}]}])

    def move_to(self, x, y):
        self.post("/actions", actions=[{
            "type": "pointer", "id": "mouse", "actions": [
                {"type": "pointerMove", "x": int(x), "y": int(y)}]}])

    def press(self, *keys):
        """Keys by name ("tab", "shift+tab") or as text to type."""
        acts = []
        for key in keys:
            parts = key.split("+") if key in KEYS or "+" in key else list(key)
            codes = [KEYS.get(part, part) for part in parts]
            if "+" in key:
                acts += [{"type": "keyDown", "value": c} for c in codes]
                acts += [{"type": "keyUp", "value": c} for c in codes[::-1]]
            else:
                for c in codes:
                    acts += [{"type": "keyDown", "value": c},
                             {"type": "keyUp", "value": c}]
        self.post("/actions",
                  actions=[{"type": "key", "id": "keys", "actions": acts}])

    def resize(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width,
                 height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme):
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def complaints(self):
        """What the console has had since the last call, of any level."""
        return [e["message"] for e in self.post("/se/log", type="browser")]

    def requested(self):
        """The URLs asked for since the last call."""
        urls = []
        for entry in self.post("/se/log", type="performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                urls.append(event["params"]["request"]["url"])
        return urls

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.ask("GET",
                                              self.session + "/screenshot")))
