"""The web service.

python3 -m service [PORT]     serves on PORT (default: 8000)
python3 -m service --check    sends one request to itself and prints the answer
"""
import http.server
import json
import sys
import threading
import urllib.parse
import urllib.request

import attr

from service import releases


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        versions = urllib.parse.parse_qs(url.query).get("v", [])
        body = json.dumps(attr.asdict(releases.newest(versions))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def check(server):
    """Sends a request to the server, which runs in this process."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    where = "http://127.0.0.1:%d/?v=1.9&v=1.10&v=x" % server.server_port
    with direct.open(where, timeout=20) as reply:
        said = json.load(reply)
    said["loaded"] = releases.__file__
    print(json.dumps(said))


def main():
    checking = sys.argv[1:] == ["--check"]
    port = 0 if checking else int(sys.argv[1]) if sys.argv[1:] else 8000
    with http.server.ThreadingHTTPServer(("127.0.0.1", port),
                                         Handler) as server:
        check(server) if checking else server.serve_forever()


if __name__ == "__main__":
    main()
