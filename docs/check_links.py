"""Check the links of the built pages; run by ``make docs``.

Links within the site must have a target, and every page must be linked from another one. Links to
other sites must be complete addresses; they are not opened. No script may come from another site.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

BUILT = Path(__file__).parent / "_build" / "html"


class Page(HTMLParser):
    """The links of a page, and the places in it that a link can lead to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.scripts = set(), set(), set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors |= {attrs.get("id"), attrs.get("name")}
        if tag == "script" and attrs.get("src"):
            self.scripts.add(attrs["src"])
        for name in ("href", "src"):
            if attrs.get(name):
                self.links.add(attrs[name])


def main():
    # The theme's own templates are no pages.
    pages = {path: Page(path) for path in BUILT.rglob("*.html") if "_static" not in path.parts}
    broken, linked = [], set()
    n_links = 0
    for path, page in pages.items():
        broken += [
            f"{path.relative_to(BUILT)}: needs a network for {script}"
            for script in page.scripts
            if urlsplit(script).netloc
        ]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if parts.scheme not in {"https", "mailto", "data"} or "$" in link:
                    broken.append(f"{path.relative_to(BUILT)}: {link}")
                continue
            n_links += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if target != path:
                linked.add(target)
            if not target.exists():
                broken.append(f"{path.relative_to(BUILT)}: {link}")
            # Links from source code use one prefix for all names of a module, right for most.
            elif "_modules" in path.parts:
                continue
            elif anchor and target in pages and anchor not in pages[target].anchors:
                broken.append(f"{path.relative_to(BUILT)}: no {anchor} in {parts.path}")
    broken += [f"{path.relative_to(BUILT)}: no page links to it" for path in set(pages) - linked]
    sys.exit("\n".join(sorted(broken)) or not n_links)


if __name__ == "__main__":
    main()
