"""What a page looks like, measured in the browser instead of compared with a picture: fonts differ between machines."""

from playwright.sync_api import Page

# A box that scrolls shows its text all the same. One with `text-overflow: ellipsis` says that there is more. One with
# `clip-path` is there for screen readers alone.
CUT_OFF = """() => {
  const found = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (!text.data.trim()) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const rects = [...range.getClientRects()].filter((rect) => rect.width && rect.height);
    if (!rects.length) continue;
    const left = Math.min(...rects.map((rect) => rect.left)), right = Math.max(...rects.map((rect) => rect.right));
    let edges = [0, document.documentElement.clientWidth];
    for (let box = text.parentElement; box; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.clipPath !== "none" || style.position === "fixed") { edges = null; break; }
      if (style.overflowX === "visible") continue;
      if (["auto", "scroll"].includes(style.overflowX) || style.textOverflow === "ellipsis") { edges = null; break; }
      const { left, right } = box.getBoundingClientRect();
      edges = [Math.max(edges[0], left), Math.min(edges[1], right)];
    }
    if (edges && (left < edges[0] - 1 || right > edges[1] + 1)) found.add(text.data.trim().slice(0, 60));
  }
  return [...found];
}"""


def cut_off(page: Page) -> list[str]:
    """The beginnings of texts that reach beyond the edge of the window, or of a box that hides the rest.

    The width of the document does not show it: a box with `overflow: clip` keeps the document narrow and hides the
    text. WCAG 2.2, 1.4.10.
    """
    texts: list[str] = page.evaluate(CUT_OFF)
    return texts
