"""Look at the built pages in headless Chromium: ``python docs/screenshots.py``.

Pictures go to ``docs/_build/screenshots``; what the pages write to the console, and pages that are
wider than their window, are printed. Needs Chromium, and tornado, which comes with the extra dask.
"""

import asyncio
import base64
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
    *("index", "getting_started", "user_guide", "troubleshooting", "comparison", "contributing"),
    *("auto_examples/index", "auto_examples/plot_pictures", "auto_examples/plot_common_pitfalls"),
    *("generated/skgenre.CNNClassifier", "api", "speed", "scale", "trust", "architecture"),
]
WIDTHS = (1400, 420)  # a desk and a telephone
PORT = 9333


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


async def look(address):
    tab = Tab(await websocket_connect(address, max_message_size=1 << 28))
    for domain in ("Page", "Runtime", "Log"):
        await tab.call(f"{domain}.enable")
    found = []
    for page in PAGES:
        for width in WIDTHS:
            tab.events.clear()
            size = {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": width < 600}
            await tab.call("Emulation.setDeviceMetricsOverride", **size)
            await tab.call("Page.navigate", url=(BUILT / f"{page}.html").as_uri())
            await asyncio.sleep(1.5)
            wide = await tab.value("document.documentElement.scrollWidth - window.innerWidth")
            if wide and wide > 0:
                found.append(f"{page} at {width}: {wide} pixels too wide")
            found += [f"{page}: {text}" for text in complaints(tab.events)]
            shot = await tab.call("Page.captureScreenshot", format="png")
            name = f"{page.replace('/', '_')}_{width}.png"
            (SHOTS / name).write_bytes(base64.b64decode(shot["data"]))
    return found


def main():
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
            found = asyncio.run(look(tab["webSocketDebuggerUrl"]))
        finally:
            process.kill()
            process.wait()
    print(*found, sep="\n")
    print(f"{len(PAGES)} pages at {len(WIDTHS)} widths in {SHOTS}; {len(found)} complaints")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
