# SPDX-License-Identifier: GPL-2.0-only
"""The HTML report: escaped, self-contained, the same bytes; and in a browser it sorts, filters, opens and prints."""

import json
import re
import shutil
import time
from collections import Counter
from html.parser import HTMLParser

import pandas as pd
import pytest

from bench.harmless import harmless
from bench.report import history_page, html
from bench.stats import samples
from bench.store import frames
from plots import drawing, style
from tests import histories, synthetic
from tests.texts import FEW

HOSTILE = (
    "</script><script>window.__pwned=1;alert(1)</script>\"'><img src=x onerror=__pwned=2><!-- é\x1b[1m\u202e\ud800\0"
)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">{}</svg>'
WRONG = {("scan-wp", "random", 1000): (0, 7), ("clear_refs", "all", 1000): (512, 0)}
CASES = len(FEW) * 4
PROCESSES, ROUNDS = 6, 4


class Page(HTMLParser):
    """Start tags with their attributes, the text by innermost element, and the scripts of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.inside = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br", "img"):
            self.inside.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.inside.pop() == tag

    def handle_data(self, data):
        self.text.append((self.inside[-1] if self.inside else "", data))

    def only(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def words(self, tag):
        return [" ".join(text.split()) for name, text in self.text if name == tag and text.strip()]


def load(path, **options):
    """Rows and host of a synthetic result."""
    loaded = frames.load(synthetic.result(path / "example", **({"what": FEW} | options)))
    return frames.intervals(loaded.frame), loaded.host


def draw(rows):
    """The plots as SVG, as matplotlib writes them."""
    with style.applied():
        modules = {name: drawing.modules()[name] for name in ("mapping_size", "phases", "ratio_heatmap")}
        return {name: drawing.svg(module.plot(rows)).decode() for name, module in modules.items()}


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    rows, host = load(tmp_path_factory.mktemp("example"), boots=2, wrong=WRONG, noise=0.1)
    summary = ["WRONG PAGES: some\nscan-wp: 7 missed", "One interval costs 1 us < 2 us."]
    return html.page("example", summary, rows, host, draw(rows))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    whole = HOSTILE.replace("\ud800", "")  # pandas knows no categories with half a character
    rows, host = load(tmp_path_factory.mktemp("hostile"), what=[(whole, 100, 10.0)])
    for key in ("kind", "cpu", "kernel_release", "where"):
        rows[key] = rows[key].cat.rename_categories([whole])
    drawing = SVG.format(
        f'<text onload="__pwned=3">{synthetic.HOST["cpu_model_name"]}\x1b\ud800</text><script>__pwned=4</script>'
        '<foreignObject><img src="x"/></foreignObject><a href="javascript:__pwned=5"/><use href="https://x.test/#a"/>'
        '<image xlink:href="https://x.test/a.png"/><path style="fill: url(https://x.test/)"/>'
    )
    host |= {HOSTILE: HOSTILE, "command": HOSTILE, "list": [HOSTILE], "unavailable:v6": HOSTILE}
    return html.page(HOSTILE, [HOSTILE, f"WRONG PAGES: {HOSTILE}"], rows, host, {HOSTILE: drawing})


def data_of(text):
    """What the script reads."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])


def rows_of(text):
    """The cells of each case as a reader without JavaScript has them."""
    lines = re.findall(r'<tr class="case.*?</tr>', text)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[dh]\b.*?</t[dh]>", line)] for line in lines]


def test_says_all_without_script(example):
    rows = rows_of(example)
    assert len(rows) == CASES
    keys = re.findall(r'data-key="(\w+)"', example)
    assert keys == [
        *("workload", "dirty_percent", "pages", "form", "cost", "cost_spread", "reset", "dirty", "untracked"),
        *("collect", "ratio", "ratio_spread", "extra", "missed", "boots", "processes"),
    ]
    table = [dict(zip(keys, row, strict=True)) for row in rows]
    one = next(r for r in table if r["form"] == "scan-wp atomic" and r["workload"] == "all")
    assert (one["reset"], one["pages"], one["dirty_percent"], one["processes"]) == ("", "1000", "100%", "6")
    assert float(one["cost"]) == pytest.approx(
        1e6 * (sum(synthetic.phases("scan-wp", True, 1000, 1000).values()) - 40e-9 * 1000), rel=0.1
    )
    wrong = [(r["form"], r["workload"], r["extra"], r["missed"]) for r in table if "WRONG" in r["form"]]
    assert wrong == [("clear_refs WRONG", "all", "+32", ""), ("scan-wp WRONG", "random", "", "-0.44")]
    assert not any(r["extra"] or r["missed"] for r in table if "WRONG" not in r["form"])
    page = Page(example)
    assert "One interval costs 1 us < 2 us." in page.words("p")
    assert synthetic.HOST["kernel_version"] in page.words("td")
    assert page.words("code") == [synthetic.COMMAND]
    assert "hidden" in next(a for a in page.only("div") if a.get("class") == "controls")


def test_instructions_are_called_instructions(tmp_path):
    rows, host = load(tmp_path, boots=2, where=synthetic.COUNTED)
    text = html.page("counted", [], rows, host, draw(rows), "results/counted/records.jsonl")
    page = Page(text)
    seen = " ".join(words for tag, words in page.text if tag not in ("script", "style"))
    assert re.findall(r"\b(us|ns|ms|seconds?|fast\w*|slow\w*|speed\w*|95% CI)\b", seen, re.IGNORECASE) == []
    assert "Every case: one tracking interval, instructions (median), lower is better" in page.words("h2")
    assert {"instructions, lower is better", "range"} <= set(page.words("small"))
    assert "times fewer than clear_refs" in page.words("th")
    assert page.words("p")[-1].endswith("record: results/counted/records.jsonl")
    [cost] = [row[4] for row in rows_of(text) if row[:4] == ["random", "10%", "1000", "scan-wp atomic"]]
    median = data_of(text)["estimates"]["cost"]["median"]
    assert re.fullmatch(r"\d\d\.\d\dk", cost)
    assert float(cost[:-1]) * 1000 == pytest.approx(median[15], abs=5)
    assert (data_of(text)["unit"], data_of(text)["counted"]) == ("instructions", True)


def test_speedup_is_paired_and_agrees_with_the_report(tmp_path):
    rows, host = load(tmp_path)
    text = html.page("", [], rows, host, {})
    found = [row for row in rows_of(text) if row[:4] == ["random", "10%", "1000", "scan-wp atomic"]]
    one = samples.ratios(rows, frames.POINT, "cost", "clear_refs", "scan-wp atomic").loc[("random",), "median"]
    assert f"{one.iloc[-1]:.2f}x" in found[0]
    assert "boots" not in data_of(text)["order"]


def test_data_hold_every_value_once(tmp_path):
    rows, host = load(tmp_path, boots=3)
    data = data_of(html.page("", [], rows, host, {}))
    assert data["first"] == list(range(0, len(rows) + 1, PROCESSES * ROUNDS))
    for key, values in data["values"].items():
        column = rows[key].fillna(rows["collect_reset"]) if key == "collect" else rows[key]
        expected = (1e6 * column.where((key != "dirty") | (rows["written_pages"] > 0))).round(4).dropna()
        assert sorted(v for v in values if v is not None) == sorted(expected)
    assert Counter(zip(data["boot"], data["process"], strict=True)) == {(p // 2, p): ROUNDS * CASES for p in range(6)}


@pytest.mark.parametrize(
    "options",
    [
        {"interfaces": ["none", "scan-wp"]},
        {"interfaces": ["none", "clear_refs"]},
        {"what": [("idle", 1, 0.0)], "processes": 1, "rounds": 1},
        {"processes": 3},
    ],
)
def test_small_results(tmp_path, options):
    rows, host = load(tmp_path, **options)
    text = html.page("small", ["One."], rows, host, {})
    keys = data_of(text)["order"]
    assert ("ratio" in keys) == ({"clear_refs", "scan-wp"} <= set(rows["interface"]))
    assert "nan" not in str(rows_of(text))
    assert ('href="#plots"' in text, ">range<" in text) == (False, options.get("processes") == 3)


def test_what_differs_is_a_column(tmp_path):
    rows, host = load(tmp_path)
    other = rows.assign(kind=rows["kind"].cat.rename_categories(["shmem"]), setting="writers=2")
    both = pd.concat([rows, other], ignore_index=True)
    both["kind"] = both["kind"].astype("category")
    text = html.page("", [], both, host, {})
    assert {"kind", "setting"} <= set(data_of(text)["order"])
    assert len(rows_of(text)) == 2 * CASES
    assert "several kinds of memory, THP as named" in text


def test_costs_lost_in_noise(tmp_path):
    rows, host = load(tmp_path)
    rows.loc[rows["form"] == "scan-wp", "cost"] = -1e-6  # an infinite ratio is no JSON
    data = data_of(html.page("", [], rows, host, {}))
    assert data["order"]["ratio"].count(None) == 2 * len(FEW)  # of clear_refs itself, and of scan-wp


def test_hostile_words_stay_words(hostile):
    assert hostile.encode()  # UTF-8 has no half characters
    page = Page(hostile)
    assert [a.get("type") for a in page.only("script")] == ["application/json", None]
    assert [text for tag, text in page.text if tag == "script"][1].strip().startswith('"use strict"')
    assert not page.only("img")
    assert not [key for _, attrs in page.tags for key in attrs if key.startswith("on")]
    assert "javascript:" not in hostile
    shown = (
        r"""</script><script>window.__pwned=1;alert(1)</script>"'><img src=x onerror=__pwned=2><!-- é\x1b[1m\u202e"""
    )
    assert page.words("td").count(shown + r"\ud800\x00") == 3  # a key's value, the reason of v6, the command
    assert shown + r"\ud800\x00: cost of tracking written pages" in page.words("h1")
    assert harmless(HOSTILE.replace("\ud800", "")) in page.words("th"), "it came through a log"
    assert not re.search("[\0\x1b\u202e]", hostile)


def test_self_contained(example, hostile):
    for text in (example, hostile):
        page = Page(text)
        for _, attrs in page.tags:
            for key in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                assert attrs.get(key, "#").startswith(("#", "data:"))
            assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)", str(attrs.get("style"))))
        styles = "".join(text for tag, text in page.text if tag == "style")
        assert "url(" not in styles
        assert "@import" not in styles
        [policy] = [a["content"] for a in page.only("meta") if a.get("http-equiv") == "Content-Security-Policy"]
        assert "default-src 'none'" in policy


def test_drawings_do_not_clash(example):
    page = Page(example)
    ids = Counter(attrs["id"] for _, attrs in page.tags if "id" in attrs)
    assert [name for name, count in ids.items() if count > 1] == []
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', example)
    assert any(name.startswith("plot2-") for name in used)
    assert set(used) <= set(ids)
    assert len(page.only("svg")) == 3
    assert "Who pays: the phases of one tracking interval" in page.words("text")


def test_same_data_same_bytes(tmp_path, example):
    rows, host = load(tmp_path, boots=2, wrong=WRONG, noise=0.1)
    summary = ["WRONG PAGES: some\nscan-wp: 7 missed", "One interval costs 1 us < 2 us."]
    shuffled = rows.sample(frac=1, random_state=1)
    host = dict(reversed(host.items()))
    assert html.page("example", summary, shuffled, host, draw(rows)) == example


def test_size_of_a_quick_result(example):
    assert len(example.encode()) < 1_500_000


def test_ten_thousand_benchmarks(tmp_path):
    points = [("random", pages, dirty) for pages in (10, 100, 1000) for dirty in (1.0, 2.0, 5.0, 10.0, 50.0)]
    some, host = load(tmp_path, what=points, processes=10, rounds=2)
    rows = pd.concat([some.assign(pages=some["pages"] + i) for i in range(65)], ignore_index=True)
    assert len(rows) == 3900 * 20
    start = time.process_time()
    text = html.page("big", [], rows, host, {})
    assert time.process_time() - start < 5
    assert len(text.encode()) < 15_000_000
    assert len(rows_of(text)) == 3900


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A Chromium of its own, without the network's help, that keeps its console."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("no chromium and chromedriver on this machine")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium on this machine")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"),
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture
def see(browser, tmp_path):
    """Function that opens a page in a window of some width and returns the browser; no page may complain."""

    def open_page(text, width=1200):
        (tmp_path / "report.html").write_bytes(text.encode())
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        browser.get((tmp_path / "report.html").as_uri())
        return browser

    yield open_page
    assert browser.get_log("browser") == []


def column(page, key):
    """The texts of a column in the order of the screen, hidden rows left out."""
    script = """
        const at = [...document.querySelectorAll("th[data-key]")].findIndex((th) => th.dataset.key === arguments[0]);
        return [...document.querySelectorAll("tr.case:not([hidden])")].map((row) => row.cells[at].innerText.trim());"""
    return page.execute_script(script, key)


def heading(page, key):
    return page.find_element("css selector", f"th[data-key={key}]")


def numbers(texts):
    return [float(re.sub("[x%+]", "", text)) for text in texts if text]


def choose(page, words):
    from selenium.webdriver.common.keys import Keys

    field = page.find_element("id", "filter")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.BACKSPACE, words)


def dots(page):
    return page.execute_script('return document.querySelectorAll("tr.values:not([hidden]) circle.dot").length')


@pytest.mark.parametrize("key", ["cost", "pages", "dirty_percent", "ratio", "extra", "processes"])
def test_headings_sort_numbers_both_ways(see, example, key):
    page = see(example)
    head = heading(page, key)
    assert head.get_attribute("aria-sort") is None
    for direction in ("ascending", "descending"):
        head.find_element("tag name", "button").click()
        assert head.get_attribute("aria-sort") == direction
        texts = column(page, key)
        assert len(texts) == CASES
        assert numbers(texts) == sorted(numbers(texts), reverse=direction == "descending")
        if key == "ratio":
            assert texts[-len(FEW) :] == [""] * len(FEW)  # clear_refs has none: last both ways
    assert len(page.find_elements("css selector", "th[aria-sort]")) == 1


def test_words_sort_and_an_equal_order_stays(see, example):
    page = see(example)
    before = column(page, "form")
    heading(page, "cost").find_element("tag name", "button").click()
    assert column(page, "form") != before
    heading(page, "workload").find_element("tag name", "button").click()
    assert column(page, "workload") == sorted(column(page, "workload"))
    assert column(page, "form") == before


def test_keyboard_sorts_and_opens(see, example):
    from selenium.webdriver.common.keys import Keys

    page = see(example)
    choose(page, "")
    for _ in range(20):
        page.switch_to.active_element.send_keys(Keys.TAB)
        if page.execute_script('return document.activeElement.closest("th")?.dataset.key') == "cost":
            break
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert numbers(column(page, "cost")) == sorted(numbers(column(page, "cost")))
    page.switch_to.active_element.send_keys(Keys.SPACE)
    assert heading(page, "cost").get_attribute("aria-sort") == "descending"
    first = page.find_element("css selector", "tr.case .open")
    page.execute_script("arguments[0].focus(); getSelection().selectAllChildren(document.body)", first)
    first.send_keys(Keys.ENTER)  # even where text is marked
    assert first.get_attribute("aria-expanded") == "true"
    assert dots(page) == PROCESSES * ROUNDS


def test_filter_hides_rows(see, example):
    page = see(example)
    choose(page, "random 10% scan-wp")
    assert set(column(page, "workload")) == {"random"}
    assert [text.split()[0] for text in column(page, "form")] == ["scan-wp"] * 4
    assert page.find_element("id", "shown").text == f"4 of {CASES} cases"
    choose(page, "wrong")
    assert all("WRONG" in text for text in column(page, "form"))
    assert len(column(page, "form")) == 2
    choose(page, "0%")  # begins with a digit: 10% and 100% do not count
    assert set(column(page, "workload")) == {"idle"}
    choose(page, "")
    assert len(column(page, "form")) == CASES


def test_row_opens_to_every_value(see, example):
    page = see(example)
    choose(page, "random 1000 scan-wp")
    button = page.find_element("css selector", "tr.case:not([hidden]) .open")
    button.click()
    assert dots(page) == PROCESSES * ROUNDS
    inside = page.find_element("css selector", "tr.values .inside")
    data, index = data_of(example), 14  # random, 1000 pages, scan-wp, counted in the table's own order
    values = data["values"]["cost"][data["first"][index] : data["first"][index + 1]]
    median = data["estimates"]["cost"]["median"][index]
    assert f"{PROCESSES * ROUNDS} values of 6 processes in 2 boots, us: min {min(values):.1f}, median" in inside.text
    assert f"median {median:.1f} (" in inside.text
    assert f"max {max(values):.1f}." in inside.text
    assert "WRONG in 6 of 96 intervals: 0 pages reported but not written, 42 written but not reported." in inside.text
    assert "boot 1, process 3" in inside.text
    assert len(page.find_elements("css selector", ".values line.median")) == 1
    assert len(page.find_elements("css selector", ".values line.own")) == PROCESSES
    assert [b.text for b in inside.find_elements("tag name", "button")] == ["cost", "reset", "dirty", "collect"]
    inside.find_elements("tag name", "button")[1].click()
    assert page.switch_to.active_element.text == "reset"
    assert dots(page) == PROCESSES * ROUNDS
    heading(page, "cost").find_element("tag name", "button").click()
    assert (
        page.execute_script('return document.querySelector("tr.values").previousSibling.innerText').count("WRONG") == 1
    )
    choose(page, "idle")
    assert dots(page) == 0
    choose(page, "")
    assert dots(page) == PROCESSES * ROUNDS
    button.click()
    assert dots(page) == 0


def test_a_row_of_instructions_opens_to_instructions(see, tmp_path):
    rows, host = load(tmp_path, boots=2, where=synthetic.COUNTED)
    text = html.page("counted", [], rows, host, {})
    page = see(text)
    choose(page, "all 1000 scan-wp")
    page.find_element("css selector", "tr.case:not([hidden]) .open").click()
    inside = page.find_element("css selector", "tr.values .inside")
    shown = page.find_element("css selector", "tr.case:not([hidden]) td:nth-child(5)").text
    assert re.search(
        rf"in 2 boots, instructions: min [\d.]+k, median {shown} \([\d.]+k to [\d.]+k; range of 2 boots\)", inside.text
    )
    ticks = [one.text for one in inside.find_elements("css selector", "text[text-anchor=middle].muted")]
    assert ticks.pop() == "instructions, lower is better"
    assert all(re.fullmatch(r"[\d.]+k", tick) for tick in ticks)
    assert len(set(ticks)) == len(ticks) > 2
    tip = page.execute_script('return document.querySelector(".dot title").textContent')
    assert re.fullmatch(r"boot 0, process 0, value 0: [\d.]+k instructions", tip)


def test_atomic_names_its_phase_and_one_value_is_drawn(see, tmp_path):
    rows, host = load(tmp_path, what=[("idle", 1, 0.0)], processes=1, rounds=1)
    page = see(html.page("one", [], rows, host, {}))
    page.find_elements("css selector", ".open")[-1].click()
    inside = page.find_element("css selector", "tr.values .inside")
    assert [b.text for b in inside.find_elements("tag name", "button")] == ["cost", "collect_reset"]
    assert "1 value of 1 process, us: min" in inside.text
    assert "NaN" not in inside.get_attribute("innerHTML")
    assert dots(page) == 1


def test_wrong_is_marked_with_words(see, example):
    page = see(example)
    marked = page.find_elements("css selector", "tr.bad")
    assert len(marked) == 2
    assert all("WRONG" in row.text for row in marked)
    assert page.find_element("css selector", "p.bad").text.startswith("WRONG PAGES: some\n")


def test_dark_and_light(see, example):
    page = see(example)
    brightness = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
        color = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", color)[:3]))
    assert brightness["light"] > 700
    assert brightness["dark"] < 100


@pytest.mark.parametrize("width", [400, 800, 1200])
def test_only_boxes_scroll_sideways(see, example, width):
    page = see(example, width)
    for button in page.find_elements("css selector", ".open")[:2]:
        page.execute_script("arguments[0].click()", button)
    page.execute_script('document.querySelector("details").open = true')
    inner, outer = page.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert inner <= outer
    edge = page.execute_script('return document.querySelector("tr.values svg").getBoundingClientRect().right')
    assert edge <= width


@pytest.fixture(scope="module")
def of_many_kernels(tmp_path_factory):
    top = histories.five(tmp_path_factory.mktemp("history"))
    history_page.write(top, drawing.every)
    return (top / "report.html").read_text()


@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_of_many_kernels_fits_is_dark_and_light_and_loads_nothing(see, of_many_kernels, width):
    page = see(of_many_kernels, width)
    brightness = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
        color = page.execute_script("return getComputedStyle(document.body).color")
        brightness[scheme] = sum(map(int, re.findall(r"\d+", color)[:3]))
    assert brightness["light"] < 100, "dark words on the browser's light ground"
    assert brightness["dark"] > 700
    inner, outer = page.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert inner <= outer, "only boxes scroll sideways"
    for figure in page.find_elements("css selector", "figure svg"):
        assert figure.rect["x"] + figure.rect["width"] <= width
    assert len(page.find_elements("css selector", "figure")) == 2
    assert "6.12.95 to 6.16.3" in page.find_element("css selector", "table").text
    assert page.execute_script('return performance.getEntriesByType("resource").map((e) => e.name)') == []


def test_print_shows_all_without_controls(see, example):
    page = see(example, 1032)  # A4 on its side less the margins
    choose(page, "idle")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    page.execute_script('dispatchEvent(new Event("beforeprint"))')
    assert all(row.is_displayed() for row in page.find_elements("css selector", "tr.case"))
    assert page.find_element("css selector", "#host td").is_displayed()
    assert not any(e.is_displayed() for e in page.find_elements("css selector", ".controls, .open, nav"))
    assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    page.execute_script('dispatchEvent(new Event("afterprint"))')
    assert page.find_element("tag name", "details").get_attribute("open") is None


def test_hostile_words_run_nothing_and_nothing_is_loaded(see, example, hostile):
    for text in (hostile, example):
        page = see(text)
        page.find_element("css selector", ".open").click()  # an open alert would raise here
        assert page.execute_script("return window.__pwned") is None
        assert page.execute_script('return performance.getEntriesByType("resource").map((e) => e.name)') == []
        assert dots(page) == PROCESSES * ROUNDS


def test_many_cases_in_a_browser(see, tmp_path):
    some, host = load(tmp_path, processes=10, rounds=2)
    rows = pd.concat([some.assign(pages=some["pages"] + i) for i in range(195)], ignore_index=True)
    page = see(html.page("big", [], rows, host, {}))
    start = time.monotonic()
    heading(page, "cost").find_element("tag name", "button").click()
    assert len(column(page, "cost")) == 3900
    assert time.monotonic() - start < 10
