"""The page of `pycfs report --html`, in a browser, with 30,000 files.

The environment variable REPORT_SHOTS names a directory for screenshots;
without it they are written to the temporary directory of the test and removed
with it.
"""
import copy
import os
import re
import shutil
import tempfile
import time

import pytest

import harness
import reportdata
import webdriver

FILES = 30000
SECOND = 1000  # milliseconds
REPORT = os.path.join(reportdata.TOP, "src", "report", "page")
SOURCES = ["page.html", *reportdata.PARTS]
DARK, LIGHT = "rgb(20, 23, 27)", "rgb(244, 245, 247)"


def source(name):
    with open(os.path.join(REPORT, name)) as f:
        return f.read()


# tools/embed

@pytest.fixture
def embedded(scratch):
    """embedded(page, **parts): what tools/embed says, and its arrays."""
    def run(page, **parts):
        names = []
        for name, text in dict(page=page, **parts).items():
            names.append(os.path.join(scratch, name))
            with open(names[-1], "w") as f:
                f.write(text)
        out = os.path.join(scratch, "out.c")
        r = reportdata.embed("px", out, *names)
        if r.returncode:
            return r.stderr, None
        with open(out) as f:
            c = f.read()
        return c, reportdata.arrays(c)
    return run


PAGE = '<p>\n<link rel="stylesheet" href="css">\n<!--DATA-->\n' \
    '<script src="js"></script>\n</p>\n'


def test_embed(embedded):
    c, found = embedded(PAGE, css="p {}\n", js="let x = '\u00e9';\n" * 99)
    assert found == {
        "px_head": b"<p>\n<style>\np {}\n</style>\n",
        "px_tail": b"<script>\n" + "let x = '\u00e9';\n".encode() * 99 +
                   b"</script>\n</p>\n"}
    assert "const size_t px_head_size = %d;" % len(found["px_head"]) in c
    assert max(len(line.expandtabs(8)) for line in c.splitlines()) <= 80
    assert c == embedded(PAGE, css="p {}\n", js="let x = '\u00e9';\n" * 99)[0]


@pytest.mark.parametrize("page,parts,why", [
    (PAGE, {"css": ""}, "js is named, but not given"),
    (PAGE, {"css": "", "js": "", "other": ""}, "not named by the page: other"),
    (PAGE, {"css": "", "js": "'</script>'"}, "js would not end"),
    (PAGE, {"css": "", "js": "'<!--'"}, "js would not end"),
    (PAGE, {"css": "</STYLE>", "js": ""}, "css would not end"),
    (PAGE.replace("<!--DATA-->", ""), {"css": "", "js": ""},
     "<!--DATA--> must be one line, once"),
    (PAGE + "<!--DATA-->\n", {"css": "", "js": ""},
     "<!--DATA--> must be one line, once"),
])
def test_embed_refuses(embedded, page, parts, why):
    said, found = embedded(page, **parts)
    assert found is None and why in said and said.startswith("embed: ")


# the page's text

def test_nothing_is_loaded():
    for name in SOURCES:
        assert not re.search(r"https?://|//\w+\.|@import|url\(", source(name))
    assert "default-src 'none'; style-src 'unsafe-inline'; " \
        "script-src 'unsafe-inline'; img-src data:" in source("page.html")


def test_data_is_never_markup():
    for name in reportdata.PARTS:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|srcdoc|"
                             r"document\.write|DOMParser|\beval\b|Function\(",
                             source(name))


# the page in a browser

@pytest.fixture(scope="module")
def chromium():
    why = webdriver.missing()
    if why:
        if harness.ON_A_CI:
            pytest.fail(why + " (and CI=true)", pytrace=False)
        pytest.skip(why)
    scratch = tempfile.mkdtemp(prefix="pycfs-html-")
    browser = webdriver.Browser(scratch)
    browser.scratch = scratch
    browser.shots = os.environ.get("REPORT_SHOTS", scratch)
    os.makedirs(browser.shots, exist_ok=True)
    try:
        yield browser
    finally:
        browser.close()
        shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(scope="module")
def data():
    return reportdata.make(FILES)


@pytest.fixture(scope="module")
def large(chromium, data):
    return reportdata.page(chromium.scratch, data)


@pytest.fixture
def blank(chromium):
    """The browser, with nothing to say; it must stay so."""
    chromium.post("/url", url="about:blank")
    chromium.resize(1280, 800)
    chromium.prefer("light")
    chromium.complaints()
    chromium.requested()
    yield chromium
    assert chromium.complaints() == []


@pytest.fixture
def browser(blank, large):
    blank.open(large)
    return blank


def shot(browser, name):
    browser.screenshot(os.path.join(browser.shots, name + ".png"))


def crumbs(browser):
    return browser.js("[...document.querySelectorAll('#crumbs li')]"
                      ".map(e => e.textContent)")


def names(browser):
    return browser.js("[...document.querySelectorAll('#table tbody tr')]"
                      ".map(r => r.cells[0].firstChild.textContent)")


def cell(browser, column, row=0):
    return browser.js("document.querySelector('#table').tBodies[0]"
                      ".rows[arguments[1]].cells[arguments[0]].textContent",
                      column, row)


def focused(browser):
    return browser.js("document.activeElement.id ||"
                      " document.activeElement.textContent")


def pixels(browser):
    """What the treemap shows, as a number of different colours and a hash."""
    return browser.js("""(() => {
        const c = document.getElementById("tiles").cloneNode();
        const g = c.getContext("2d", { willReadFrequently: true });
        g.drawImage(document.getElementById("tiles"), 0, 0);
        const d = new Uint32Array(g.getImageData(0, 0, c.width, c.height)
            .data.buffer);
        let h = 0;
        for (const p of d) h = (h * 31 + p) | 0;
        return [new Set(d).size, h];
    })()""")


def middle(browser, name):
    """Where on the screen the tile of a child of the current node is."""
    return browser.js("""(() => {
        const p = map.top.find((t) => t.node.name === arguments[0]);
        const b = document.getElementById("map").getBoundingClientRect();
        return [b.left + 1 + p.x + p.w / 2, b.top + 1 + p.y + p.h / 2];
    })()""", name)


def largest(browser):
    return browser.js("map.top[0].node.name")


def choose(browser, mode):
    browser.js("document.querySelector('[value=' + arguments[0] + ']')"
               ".click()", mode)


def test_opens(browser):
    assert browser.js("document.title").startswith("pycfs report: /srv/app/")
    assert len(names(browser)) > 100
    assert crumbs(browser) == ["layer"]
    shot(browser, "light")


def test_requests_only_itself(blank, large):
    blank.open(large)
    blank.js("drawMap()")
    assert {u for u in blank.requested() if not u.startswith("data:")} == \
        {"file://" + large}


def test_is_fast(browser):
    """Time from navigation to the drawn page, and of what draws anew."""
    assert browser.js("performance.getEntriesByType('navigation')[0]"
                      ".domContentLoadedEventEnd") < 5 * SECOND
    for what in ("drawMap()", "setMode(MODES[3])", "setQuery('json')",
                 "setQuery('')", "goTo(tree.root, null)"):
        ms = browser.js("(() => { const t = performance.now(); %s;"
                        " return performance.now() - t; })()" % what)
        assert ms < SECOND, what
    assert browser.js("document.querySelectorAll('*').length") < 12000


def test_totals_have_signs(browser, data):
    t = data["totals"]
    for name, was in (("Against sources alone", t["baseline_source_bytes"]),
                      ("Against sources with __pycache__",
                       t["baseline_pycache_bytes"])):
        percent = "%.1f" % (100 * (t["bytes"] - was) / was)
        assert cards(browser)[name] == percent.replace("-", "\u2212") + "\u00a0%"


def verdict(browser):
    return browser.js("document.getElementById('verdict').innerText").replace(
        "\u00a0", " ")


def cards(browser):
    return browser.js("Object.fromEntries([...document.querySelectorAll("
                      "'#totals > div')].map(d => [d.children[0].textContent,"
                      " d.children[1].textContent]))")


def test_verdict(browser, data):
    """Whether it breaks, and how large it is against what pip installs."""
    n = [r["grade"] for r in data["risks"]].count(3)
    t = data["totals"]
    percent = 100 * (1 - t["bytes"] / t["baseline_pycache_bytes"])
    assert re.fullmatch(
        "It breaks: %d places break without source, docstrings or asserts, "
        r"and 2 modules do not compile\. It has \d+ MB, %.1f %% less than the "
        r"\d+ MB that pip installs, sources and __pycache__\." % (n, percent),
        verdict(browser))
    assert cards(browser)["Breaks"] == str(n)
    assert cards(browser)["Do not compile"] == "2"
    browser.click("#totals [aria-label^='Do not compile']")
    assert focused(browser) == "tab1"


def risk(grade, rule="doc", line=1234):
    return {"path": "pkg/mod.py", "line": line, "rule": rule, "grade": grade,
            "reason": "because", "remedy": "optimize 1 /pkg/mod.py"}


BAD = {"path": "b.py", "line": 1, "column": 1, "message": "no"}


@pytest.mark.parametrize("risks,failed,grade,says", [
    ([], [], 0, "Nothing was found that breaks. It has"),
    ([risk(1)], [], 0, "Nothing was found that breaks. It has"),
    ([risk(2)], [], 2, "Nothing was found that breaks, but 1 place may break."),
    ([risk(2)] * 2, [BAD], 2, "Nothing was found that breaks, but 2 places may "
     "break, and 1 module does not compile and ship"),
    ([risk(3)], [], 3, "It breaks: 1 place breaks without source, docstrings "
     "or asserts. It has"),
    ([risk(3, "not-compiled")], [BAD], 3,
     "It breaks: 1 module does not compile. It has"),
    (None, [], 2, "Whether it breaks was not looked for.")])
def test_verdicts(risks, failed, grade, says, blank):
    some = reportdata.make(100)
    some.update(risks=risks, failed=failed)
    some["totals"].update(failed=len(failed), bytes=1000000,
                          baseline_pycache_bytes=800000)
    blank.open(reportdata.page(blank.scratch, some, "verdict.html"))
    assert verdict(blank).startswith(says)
    assert verdict(blank).endswith(
        "It has 1.00 MB, 25.0 % more than the 800 kB that pip installs, sources "
        "and __pycache__.")
    assert blank.js("document.getElementById('verdict').className") == \
        "verdict%d" % grade


def test_lines_are_no_numbers(blank):
    """No separators in them."""
    some = reportdata.make(100)
    some["risks"] = [dict(risk(3), path=some["files"][0]["path"][:-1])]
    blank.open(reportdata.page(blank.scratch, some, "lines.html"))
    assert blank.js("document.querySelector('#panel .path').textContent"
                    ).endswith(".py:1234")
    blank.click("#panel .path")
    assert "line 1234," in blank.js("document.getElementById('detail')"
                                    ".textContent")


def test_rules_to_download(blank):
    some = reportdata.make(100)
    one = dict(risk(2), remedy="keep-source /one.py")
    some["risks"] = [
        risk(2), risk(3), one, dict(one, line=0), risk(1),
        dict(risk(1), remedy="include /only-to-know"),
        dict(risk(3), remedy="optimize 1 *"),
        dict(risk(3), remedy="exclude /a\nb")]
    blank.open(reportdata.page(blank.scratch, some, "rules.html"))
    assert blank.js("[save.download, save.textContent]") == [
        "layer.rules", "Download 3 suggested rules"]
    text = blank.js("suggestedRules(JSON.parse(document.getElementById("
                    "'data').textContent)).text")
    assert text.splitlines() == [
        "# Rules for " + some["source"] +
        ", from the page of 'pycfs report --html'.",
        "# pkg/mod.py:1234: may break: because", "# keep-source /one.py",
        "# pkg/mod.py:1234: breaks: because",
        "# The modules that use it need a rule. One for all modules would be:",
        "# optimize 1 *",
        "# pkg/mod.py:1234: breaks: because", "optimize 1 /pkg/mod.py"]
    into = os.path.join(blank.scratch, "downloads")
    blank.cdp("Browser.setDownloadBehavior", behavior="allow",
              downloadPath=into)
    blank.click("#save")
    path = os.path.join(into, "layer.rules")
    for _ in range(100):
        if os.path.exists(path) and os.stat(path).st_size == len(text):
            break
        time.sleep(.1)
    with open(path) as f:
        assert f.read() == text
    some["risks"] = []
    blank.open(reportdata.page(blank.scratch, some, "rules.html"))
    assert blank.js("document.getElementById('save')") is None


def test_saved_is_explained(browser):
    says = browser.js("document.querySelectorAll('#table th')[5].firstChild"
                      ".title")
    assert "__pycache__" in says and "less the bytecode" in says
    choose(browser, "saved")
    assert "less the bytecode that ships" in browser.js(
        "document.getElementById('legend').textContent")


def test_growth_has_a_plus(blank):
    small = reportdata.make(300)
    small["totals"]["baseline_source_bytes"] = \
        int(small["totals"]["bytes"] / 1.25)
    blank.open(reportdata.page(blank.scratch, small, "small.html"))
    assert "+25.0\u00a0%" in blank.js("document.getElementById('totals')"
                                      ".textContent")


def test_zoom_by_mouse(browser):
    name, before = largest(browser), pixels(browser)
    browser.click_at(*middle(browser, name))
    assert crumbs(browser) == ["layer", name]
    assert pixels(browser) != before
    inner = largest(browser)
    browser.click_at(*middle(browser, inner))
    assert crumbs(browser) == ["layer", name, inner]
    browser.click("#crumbs li:nth-child(2) button")
    assert crumbs(browser) == ["layer", name]
    browser.click("#crumbs button")
    assert crumbs(browser) == ["layer"]
    assert pixels(browser) == before


def test_tip_under_the_mouse(browser):
    browser.move_to(*middle(browser, largest(browser)))
    browser.wait("!document.getElementById('tip').hidden")
    assert largest(browser) in browser.js("document.getElementById('tip')"
                                          ".textContent")


def test_zoom_by_table(browser):
    first = names(browser)[0]
    browser.click("#table tbody button")
    assert crumbs(browser)[1] + "/" == first
    assert focused(browser) == names(browser)[0]


def test_modes(browser):
    seen = set()
    for mode in ("shipped", "deflate", "zstd", "saved", "risk"):
        choose(browser, mode)
        colours, digest = pixels(browser)
        assert colours > 3
        seen.add(digest)
        shot(browser, "mode-" + mode)
    assert len(seen) == 5
    assert "breaks" in browser.js("document.getElementById('legend')"
                                  ".textContent")
    choose(browser, "zstd")
    assert browser.js("document.querySelectorAll('#table th')[4].textContent"
                      ) == "Zstd"


def test_sizes_add_up(browser, data):
    assert browser.js("[tree.root.bytes, tree.root.files, tree.root.modules]"
                      ) == [data["totals"][k]
                            for k in ("bytes", "files", "modules")]
    assert browser.js(
        "map.top.reduce((a, p) => a + p.w * p.h, 0)") == pytest.approx(
            browser.js("map.width * map.height"), rel=1e-6)


def test_search(browser, data):
    before = pixels(browser)
    browser.click("#search")
    browser.press("JSON util")
    hits = [e for e in data["files"]
            if "json" in e["path"] and "util" in e["path"]]
    n = browser.js("tree.root.hits")
    assert n >= len(hits) > 0
    assert browser.js("document.getElementById('found').textContent"
                      ).startswith("%s files, " % format(n, ","))
    assert 0 < len(names(browser)) < len(data["distributions"])
    assert pixels(browser) != before
    assert " of " in browser.js("document.getElementById('tab2').textContent")
    shot(browser, "search")
    browser.press("escape")
    assert browser.js("document.getElementById('search').value") == ""
    assert pixels(browser) == before


def test_sort(browser):
    heads = "#table th:nth-child(%d) button"
    shipped = browser.js("state.node.kids.map(k => k.bytes)"
                         ".sort((a, b) => b - a)")
    row = "[...document.querySelector('#table').tBodies[0].rows]" \
        ".map(r => r.node.%s)"
    assert browser.js(row % "bytes") == shipped
    browser.click(heads % 4)
    assert browser.js(row % "bytes") == shipped[::-1]
    assert browser.js("document.querySelectorAll('#table th')[3]"
                      ".getAttribute('aria-sort')") == "ascending"
    browser.click(heads % 2)
    modules = browser.js(row % "modules")
    assert modules == sorted(modules, reverse=True)
    browser.click(heads % 1)
    assert browser.js(row % "name.toLowerCase()") == sorted(
        browser.js("state.node.kids.map(k => k.name.toLowerCase())"))
    assert browser.js("document.querySelectorAll('#table [aria-sort]:not("
                      "[aria-sort=none])').length") == 1


def test_treemap_by_keyboard(browser):
    for _ in range(12):
        browser.press("tab")
        if focused(browser) == "map":
            break
    assert focused(browser) == "map"
    chosen = "(document.querySelector('#options [aria-selected=true]') ||" \
        " {}).textContent"
    first = browser.js(chosen)
    assert first.startswith(largest(browser))
    assert browser.js("document.getElementById('map')"
                      ".getAttribute('aria-activedescendant')") == "option0"
    browser.press("right")
    assert browser.js(chosen) != first
    browser.press("left")
    browser.press("down")
    second = browser.js("state.active.name")
    browser.press("enter")
    assert crumbs(browser) == ["layer", second]
    shot(browser, "keyboard")
    browser.press("escape")
    assert crumbs(browser) == ["layer"]
    assert browser.js("state.active.name") == second
    browser.press("end")
    assert browser.js("state.active === map.top[map.top.length - 1].node")
    browser.press("home")
    assert browser.js(chosen) == first
    assert browser.js("getComputedStyle(document.activeElement)"
                      ".outlineStyle") != "none"


def test_every_tile_can_be_reached(browser):
    """By arrow keys alone, from the first."""
    assert browser.js("""(() => {
        const seen = new Set([map.top[0].node]), todo = [...seen];
        while (todo.length) {
            const from = todo.pop();
            for (const d of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
                const n = map.beside(from, ...d);
                if (n && !seen.has(n)) { seen.add(n); todo.push(n); }
            }
        }
        return seen.size / map.top.length;
    })()""") > .97


def test_table_by_keyboard(browser):
    browser.js("focusRow(0)")
    browser.press("down")
    browser.press("down")
    third = names(browser)[2]
    assert focused(browser) == third
    assert browser.js("document.querySelectorAll('#table tbody"
                      " [tabindex=\"0\"]').length") == 1
    browser.press("enter")
    assert crumbs(browser)[1] + "/" == third
    browser.press("escape")
    assert focused(browser) == third


def test_dark(browser):
    back = "getComputedStyle(document.body).backgroundColor"
    assert browser.js(back) == LIGHT
    light = pixels(browser)
    browser.prefer("dark")
    browser.wait("%s === arguments[0]" % back, DARK)
    assert pixels(browser) != light
    shot(browser, "dark")
    browser.click("#theme")
    assert browser.js(back) == LIGHT
    browser.wait("document.getElementById('theme').textContent ==="
                 " 'Dark colours'")
    assert pixels(browser) == light
    browser.prefer("light")
    browser.prefer("dark")
    assert browser.js(back) == LIGHT  # what was chosen stays


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width,height", [(1920, 1080), (1280, 800), (800, 600),
                                          (500, 800), (400, 800)])
def test_fits(browser, width, height, scheme):
    browser.prefer(scheme)
    browser.resize(width, height)
    browser.wait("map.width === document.getElementById('map').clientWidth")
    assert browser.js("document.documentElement.scrollWidth") <= width
    shot(browser, "fits-%s-%d" % (scheme, width))


CONTRAST = """(() => {
    const light = (c) => {
        const [r, g, b] = c.match(/[\\d.]+/g).map((v) => {
            v /= 255;
            return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
        });
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const worst = {};
    for (const e of document.querySelectorAll("body *")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 &&
            n.data.trim());
        if (!own || e.closest("#trouble, noscript, script, .unseen, .skip,"
            + " [hidden]"))
            continue;
        let back = e;
        while (/, 0\\)$|transparent/.test(getComputedStyle(back)
            .backgroundColor))
            back = back.parentElement;
        const a = light(getComputedStyle(e).color);
        const b = light(getComputedStyle(back).backgroundColor);
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5)
            worst[e.tagName + "." + e.className] = ratio;
    }
    return worst;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser, scheme):
    browser.prefer(scheme)
    assert browser.js(CONTRAST) == {}


def test_everything_has_a_name(browser):
    assert browser.js("""[...document.querySelectorAll("button, input," +
        "[role=listbox], [role=option], [role=tabpanel], nav")].filter((e) =>
        !e.textContent.trim() && !e.ariaLabel && !e.labels?.length &&
        !e.getAttribute("aria-labelledby") && !e.closest("[hidden]"))
        .map((e) => e.outerHTML)""") == []


def test_risks(browser, data):
    rows = "[...document.querySelectorAll('#panel tbody tr')]"
    graded = [r["grade"] for r in data["risks"]]
    assert browser.js(rows + ".length") == 200  # and more on request
    assert cells(browser, 0) == ["breaks"] * 200
    browser.click("#grade3")
    assert focused(browser) == "grade3"
    assert set(cells(browser, 0)) == {"may break", "to know"}
    browser.click("#grade2")
    assert set(cells(browser, 0)) == {"to know"}
    assert "%d of %d" % (graded.count(1), len(graded)) in \
        browser.js("document.getElementById('tab0').textContent")
    browser.click("#panel .copy")
    browser.wait("document.querySelector('#panel .copy').textContent ==="
                 " 'Copied'")


def cells(browser, column):
    return browser.js("[...document.querySelectorAll('#panel tbody tr')]"
                      ".map(r => r.cells[arguments[0]].textContent)", column)


def test_lists_by_keyboard(browser, data):
    browser.js("document.getElementById('tab0').focus()")
    browser.press("right")
    assert focused(browser) == "tab1"
    assert cells(browser, 0)[0] == "odd/py2.py:12:7"
    browser.press("right")
    assert cells(browser, 2)[0] == "excluded by *.pyi (rule 3)"
    browser.press("end")
    assert focused(browser) == "tab4"
    assert cells(browser, 0) == [r["rule"] for r in data.get("rules", [])]
    browser.press("left")
    assert len(cells(browser, 0)) == len(data["duplicates"])
    browser.js("document.querySelector('#panel').scrollIntoView()")
    shot(browser, "lists")


def test_a_path_leads_into_the_treemap(browser):
    path = browser.js("document.querySelector('#panel .path').textContent")
    browser.click("#panel .path")
    assert focused(browser) == "map"
    assert "/".join(crumbs(browser)[2:]) == os.path.dirname(path)
    assert browser.js("document.querySelector('#detail h2').textContent") == \
        path.split(":")[0] + "c"


def test_odd_names(browser):
    """They are text, and what cannot be seen is escaped."""
    browser.js("goTo(tree.byPath.get('odd/__proto__').parent, null)")
    assert set(names(browser)) == {
        "<img src=x onerror=document.title='broken'>.pyc",
        "</",  # the slash of </script> is one of directories
        "quote\"'&amp;.pyc", r"bytes\xff\x80.pyc", r"turn\u202eyp.exe.pyc",
        r"line\x0afeed.pyc", "__proto__", "constructor", "caf\u00e9.pyc"}
    assert browser.js("document.title").startswith("pycfs report")
    assert browser.js("document.querySelectorAll('img').length") == 0
    # A rule with a line feed in it would be two rules.
    browser.js("(() => { document.getElementById('search').value = 'feed';"
               " setQuery('feed'); })()")
    assert cells(browser, 4) == [
        r" optimize 1 /odd/line\x0afeed.py (odd characters: write it by hand)"]


@pytest.mark.parametrize("drop", [
    ["files"], ["distributions"], ["files", "distributions"],
    ["hidden", "failed", "duplicates", "risks"], ["totals"],
    ["files", "distributions", "hidden", "failed", "duplicates", "risks",
     "totals"]])
@pytest.mark.parametrize("empty", [False, True])
def test_lists_may_be_absent_or_empty(blank, drop, empty):
    some = copy.deepcopy(reportdata.make(300))
    for key in drop:
        if empty:
            some[key] = {} if key == "totals" else []
        else:
            del some[key]
    blank.open(reportdata.page(blank.scratch, some, "part.html"))
    for mode in ("deflate", "saved", "risk"):
        choose(blank, mode)
    assert not blank.js("document.getElementById('main').hidden")
    assert "NaN" not in blank.js("document.body.innerText")
    assert "undefined" not in blank.js("document.body.innerText")


@pytest.mark.parametrize("text,why", [
    ("{", "cannot be read"), ('{"version": 2}', "another"),
    ("null", "another")])
def test_bad_data_is_told(blank, text, why):
    blank.open(reportdata.page(blank.scratch, text, "bad.html"))
    assert why in blank.js("document.getElementById('trouble').innerText")
    assert blank.js("document.getElementById('main').hidden")
