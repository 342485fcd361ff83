#!/usr/bin/env python3
"""The dashboard in headless Chromium, over a federation of real processes: signs in, waits for rounds,
clicks pause, resume and stop, and compares what a reader sees with what /api says. Exit status 77, with the
reason, where there is no browser (scripts/setup.sh --browser).

Usage: tests/coordinator/dashboard/browser_test.py BUILD_FOLDER [--shots FOLDER]
  --shots FOLDER   also: screenshots, light, dark and on a phone
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

try:
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.chrome.service import Service
except ImportError:
    print("skipped: no python3-selenium (scripts/setup.sh --browser)")
    sys.exit(77)

ROOT = Path(__file__).resolve().parent.parent.parent
TOKEN = "0123456789abcdef" * 4
JOB_NAME = "browser-test"
MARKUP = "<img src=x onerror=alert(1)> & co"
LOW_CONTRAST = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => {
  const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))]; return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.tagName + '#' + e.id + ' ' + e.textContent.slice(0, 30)];
}).filter(([ratio]) => ratio < 4.5);
"""


def check(truth, what):
    if not truth:
        raise AssertionError(what)


def wait_for(condition, what, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"after {seconds} s: {what}")


class Federation:
    """scripts/launch.sh over the quickstart's data, in a folder of its own."""

    def __init__(self, folder):
        self.run = folder / "run"
        self.log = folder / "log"
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(TOKEN)
        options = ["name=" + JOB_NAME, "rounds.num_server_rounds=400", "local_training.local_steps=1"]
        command = [ROOT / "scripts/launch.sh", "--no-build", "--job", ROOT / "configs/quickstart/job.json", "--out", self.run,
                   "--shards", ROOT / "configs/quickstart/data/shards", "--run-option", "--dashboard=127.0.0.1:0",
                   "--run-option", f"--dashboard-token={token}"]
        for option in options:
            command += ["--set", option]
        self.process = subprocess.Popen(command, stdout=self.log.open("w"), stderr=subprocess.STDOUT, start_new_session=True)

    def url(self):
        def said():
            if self.process.poll() is not None:
                raise AssertionError(self.log.read_text())
            return [line.split()[-1] for line in self.log.read_text().splitlines() if line.startswith("dashboard: ")]
        return wait_for(said, "no coordinator", 240)[0]

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Page:
    def __init__(self, url, shots):
        self.url = url
        self.shots = shots
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"):
            options.add_argument(argument)
        options.binary_location = shutil.which("chromium")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.get(url)

    def api(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": "Bearer " + TOKEN})
        return json.load(urllib.request.urlopen(request, timeout=20))

    def find(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def text(self, css):
        return self.driver.execute_script("return document.querySelector(arguments[0]).textContent", css)

    def texts(self, css):
        return self.driver.execute_script("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", css)

    def points(self, chart):
        return self.driver.execute_script("return Chart.getChart(arguments[0]).data.datasets[0].data.map(p => [p.x, p.y])", chart)

    def look(self, name, scheme, width):
        """In one colour scheme and width: nothing sticks out, all text can be read; a picture where asked."""
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500})
        time.sleep(1)
        over = self.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")
        check(over <= 0, f"{name}: the page is {over} px wider than the screen")
        low = self.driver.execute_script(LOW_CONTRAST)
        check(not low, f"{name}: text of low contrast: {low}")
        if self.shots:
            height = self.driver.execute_script("return document.documentElement.scrollHeight")
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
            time.sleep(1)
            self.driver.save_screenshot(str(self.shots / f"{name}.png"))
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def sign_in(page):
    wait_for(lambda: page.find("#sign-in").is_displayed(), "no question for the token")
    check("Waiting" in page.text("#job"), "the run is shown before its token is given")
    for token, then in (("wrong", lambda: "The token is wrong" in page.text("#sign-in-error")),
                        (TOKEN, lambda: not page.find("#sign-in").is_displayed())):
        page.find("#token").send_keys(token)
        page.find("#sign-in button").click()
        wait_for(then, f"signing in with {token}")


def compare(page):
    """In a pause nothing moves, so page and API must agree."""
    status, rounds = page.api("/api/status"), page.api("/api/rounds")["rounds"]
    check(page.text("#job") == JOB_NAME, page.text("#job"))
    check(page.text("#round") == str(status["server_round"]), "the round")
    check(page.text("#rounds-planned") == " of 400", page.text("#rounds-planned"))
    check(page.texts("#members tbody td:first-child") == [m["name"] for m in status["members"]], "the members")
    check(page.texts("#members tbody td:last-child") == ["uploaded"] * 4, page.texts("#members tbody td:last-child"))
    tiles = dict(zip(page.texts("#tiles dt"), page.texts("#tiles dd")))
    check(tiles["Held-out accuracy"].startswith(f"{100 * status['evaluation']['accuracy']:.1f} %"), tiles)
    check(tiles["Epsilon for one example"].startswith(f"{status['epsilon']:.2f}"), tiles)
    check(tiles["Uploaded"].startswith(f"{sum(r['upload_bytes'] for r in rounds) / 1e6:.2f} MB"), tiles)
    check(page.texts("#rounds tbody tr:first-child td")[0] == str(rounds[-1]["server_round"]), "the latest round")
    evaluated = [[r["evaluated_round"], r["evaluation"]["loss"]] for r in rounds if "evaluation" in r]
    check(len(evaluated) > 1 and page.points("chart-loss") == evaluated, "the curve of the loss")
    check(page.points("chart-epsilon") == [[r["server_round"], r["epsilon"]] for r in rounds], "the curve of epsilon")
    check(any("in the sum" in e for e in page.texts("#events li")), "no events")
    return status["server_round"]


def texts_stay_texts(page):
    """What a member can choose the words of."""
    page.driver.execute_script("""
      showEvent(0, arguments[0]);
      const member = {name: arguments[0], part_reason: arguments[0], reason: arguments[0], state: "refused", part: "gone", connected: false};
      showStatus({...status, job: arguments[0], detail: arguments[0], phase: "", alerts: [{code: "x", text: arguments[0]}], members: [member]});""", MARKUP)
    check(not page.driver.find_elements(By.CSS_SELECTOR, "img"), "a text became markup")
    for css in ("#job", "#phase-line", "#alerts li", "#members td", "#members td small", "#events li:first-child span"):
        check(page.text(css) == MARKUP, f"{css}: {page.text(css)}")


def drive(page, federation):
    sign_in(page)
    wait_for(lambda: page.text("#round").isdigit() and int(page.text("#round")) >= 3, "no third round")
    page.look("light", "light", 1280)
    page.look("dark", "dark", 1280)
    page.look("phone", "light", 390)
    page.look("phone-dark", "dark", 390)
    page.find("#pause").click()
    wait_for(lambda: page.text("#state") == "paused" and page.text("#pause") == "Resume", "no pause")
    wait_for(lambda: "paused" in " ".join(page.texts("#alerts li")), "no alert")
    time.sleep(1)
    there = compare(page)
    time.sleep(2)
    check(page.text("#round") == str(there) and page.api("/api/status")["server_round"] == there, "a round began in the pause")
    page.find("#pause").click()
    wait_for(lambda: int(page.text("#round")) >= there + 2, "no round after resuming")
    page.find("#stop").click()
    wait_for(lambda: page.text("#state") == "stopped", "no stop")
    federation.process.wait(timeout=60)
    texts_stay_texts(page)
    check("status 130" in federation.log.read_text(), "the coordinator did not end as stopped")
    # The wrong token's refusal and the end of the connection are the only complaints there may be.
    bad = [e["message"] for e in page.driver.get_log("browser") if "401" not in e["message"] and "ERR_" not in e["message"]]
    check(not bad, f"the browser complains: {bad}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--shots", type=Path)
    options = parser.parse_args()
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            print(f"skipped: no {program} (scripts/setup.sh --browser)")
            sys.exit(77)
    if options.build.resolve() != ROOT / "build/dev":
        print("skipped: scripts/launch.sh runs what is in build/dev")
        sys.exit(77)
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="sotto-browser-"))
    federation = Federation(folder)
    page = None
    try:
        page = Page(federation.url(), options.shots)
        drive(page, federation)
        print("the dashboard agrees with the API")
    except Exception:
        print(federation.log.read_text()[-3000:])
        raise
    finally:
        if page:
            page.driver.quit()
        federation.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
