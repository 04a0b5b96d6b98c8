"""Take screenshots of the built pages: ``python docs/screenshots.py [PAGE ...]``.

Each page is captured in headless Chromium at two widths, in light and in dark mode, into
``docs/_build/screenshots``. Errors in the console, pages that are wider than their window and
elements that are cut are printed. Needs Chromium, and tornado, which comes with the extra dask.
"""

import argparse
import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tornado.websocket import websocket_connect

BUILT = Path(__file__).parent / "_build" / "html"
SHOTS = Path(__file__).parent / "_build" / "screenshots"
PAGES = [
    *("index", "getting_started", "guides", "user_guide", "evaluation_report", "troubleshooting"),
    *(
        "auto_examples/index",
        "auto_examples/plot_quickstart",
        "auto_examples/pictures/plot_pictures",
    ),
    *("auto_examples/evaluate/plot_common_pitfalls", "api", "generated/skgenre.CNNClassifier"),
    *("results", "published_system", "accuracy", "gtzan", "speed", "scale", "comparison"),
    *("development", "changes", "architecture", "trust"),
]
WIDTHS = (1400, 420)  # a desktop and a phone
SCHEMES = ("light", "dark")
HEIGHT = 5000  # pixels of a page that are captured at most
PORT = 9333

#: Elements that stick out of the text and cannot be scrolled, or whose text is hidden.
CUT = """
(() => {
  const edge = document.documentElement.clientWidth + 1, found = [];
  const name = (element) => element.tagName + "." + element.className;
  for (const element of document.querySelectorAll("article.bd-article *, .prev-next-area *")) {
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (!box.width || element.closest(".visually-hidden, .sk-top-container")) continue;
    if (/hidden|clip/.test(style.overflowX) && element.scrollWidth > element.clientWidth + 1)
      found.push(name(element));
    if (box.right <= edge) continue;
    let parent = element.parentElement;
    while (parent && !/auto|scroll|hidden/.test(getComputedStyle(parent).overflowX))
      parent = parent.parentElement;
    if (!parent || parent.matches("body, html, .bd-main, main")) found.push(name(element));
  }
  return found.slice(0, 5).join(", ");
})()
"""


class Tab:
    """A page of the browser, by its DevTools protocol."""

    def __init__(self, socket):
        self.socket, self.n, self.events = socket, 0, []

    async def call(self, method, **params):
        self.n += 1
        await self.socket.write_message(
            json.dumps({"id": self.n, "method": method, "params": params})
        )
        while True:
            message = json.loads(await self.socket.read_message())
            if message.get("id") == self.n:
                return message.get("result", {})
            self.events.append(message)

    async def value(self, expression):
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True)
        return result["result"].get("value")


def complaints(events):
    for event in events:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            yield params["exceptionDetails"]["text"]
        if event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            yield params["entry"]["text"] + " " + params["entry"].get("url", "")


async def look(address, pages):
    tab = Tab(await websocket_connect(address, max_message_size=1 << 28))
    for domain in ("Page", "Runtime", "Log"):
        await tab.call(f"{domain}.enable")
    found = []
    for page, width, scheme in itertools.product(pages, WIDTHS, SCHEMES):
        tab.events.clear()
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        await tab.call("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        await tab.call("Emulation.setEmulatedMedia", features=[feature])
        await tab.call("Page.navigate", url=(BUILT / f"{page}.html").as_uri())
        await asyncio.sleep(1.5)
        wide = await tab.value("document.documentElement.scrollWidth - window.innerWidth")
        if wide and wide > 0:
            found.append(f"{page} at {width}: {wide} pixels too wide")
        cut = await tab.value(CUT)
        if cut:
            found.append(f"{page} at {width}: cut: {cut}")
        found += [f"{page}: {text}" for text in complaints(tab.events)]
        height = min(HEIGHT, await tab.value("document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = await tab.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        name = f"{page.replace('/', '_')}_{width}_{scheme}.png"
        (SHOTS / name).write_bytes(base64.b64decode(shot["data"]))
    return list(dict.fromkeys(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", default=PAGES, help="names without .html")
    pages = parser.parse_args().pages
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("needs chromium")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        process = subprocess.Popen(
            [browser, *flags, f"--remote-debugging-port={PORT}", "about:blank"],
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(100):
                time.sleep(0.2)
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/json") as answer:
                        [tab] = [t for t in json.load(answer) if t["type"] == "page"]
                        break
                except OSError:
                    continue
            found = asyncio.run(look(tab["webSocketDebuggerUrl"], pages))
        finally:
            process.kill()
            process.wait()
    print(*found, sep="\n")
    print(f"{len(pages)} pages in {SHOTS}; {len(found)} complaints")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
