"""Style sheet and scripts of the web page."""

__all__ = ['COPY_LINK', 'FETCH', 'LOOK', 'STYLE']

# Gradio puts a prefix in front of selectors, in media queries without keeping the original, and splits them at commas.
# Pedestrians are tall and narrow: as many columns as fit on the screen, captions below, no inner scroll bar. On a
# telephone an answer takes the place of introduction and examples, so that its first row is seen without scrolling.
STYLE = """
.dark {color-scheme: dark}
.gradio-container {max-width: 1280px !important; margin: 0 auto !important}
.gradio-container > .main {max-width: none !important; padding: 16px min(32px, 4vw) !important}
#ask button {white-space: nowrap}
#image {font-size: var(--text-md); font-weight: 500}
#message, #message .html-container {padding: 0 !important}
#message .told {display: flex; gap: 14px; align-items: center; padding: 10px 14px; overflow-wrap: anywhere;
    white-space: pre-line; border-left: 4px solid var(--primary-500); background: var(--background-fill-secondary);
    color: var(--body-text-color)}
#message .told.failed {border-color: #d73027; background: #d7302714}
#message img {height: 120px; margin: 0}
#take {gap: 8px}
#take button {min-width: 0; flex: 1 1 0}
#found {border-width: 0 !important; overflow: visible !important; background: none !important; min-height: 0 !important}
#found .empty {visibility: hidden}
#found .grid-wrap {max-height: none; overflow: visible; padding: 0}
#found .grid-container {grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); padding: 0}
#found .thumbnail-lg {display: flex; flex-direction: column; aspect-ratio: auto; justify-content: flex-start}
#found .thumbnail-lg > img {aspect-ratio: 4 / 9; height: auto}
#found .caption-label {position: static; width: 100%; max-width: 100%; border: none; white-space: pre-line;
    overflow-wrap: anywhere; line-height: 1.35; text-align: center; font-variant-numeric: tabular-nums;
    opacity: 1 !important; color: var(--body-text-color); background: none}
#found .caption-label::first-line {font-weight: 600}
button:focus-visible, [role=button]:focus-visible, input:focus-visible, textarea:focus-visible
    {outline: 2px solid var(--primary-500) !important; outline-offset: 2px}
@media (max-width: 640px) {
    .column:has(#message .told.found) #introduction {display: none}
    .column:has(#message .told.found) #examples {display: none}
    .column {gap: 10px}
    #message img {height: 64px}
}
"""

LOOK = """(message) => {
    const told = new DOMParser().parseFromString(message, 'text/html').querySelector('.told');
    const link = told?.dataset.link;
    if (link === undefined) return;
    const parameters = new URLSearchParams(link);
    for (const [name, value] of new URLSearchParams(location.search))
        if (name.startsWith('__')) parameters.append(name, value);
    history.replaceState(null, '', location.pathname + (parameters.size ? '?' + parameters : ''));
    if (matchMedia('(pointer: coarse)').matches) document.activeElement?.blur();
    document.getElementById('message').scrollIntoView({block: 'nearest'});
}"""
"""After an answer: the address becomes its link (parameters of Gradio's own begin with two underscores), the keyboard
of a telephone goes, and the message is scrolled to, which may be above the visible part after a click far down."""

COPY_LINK = """async () => {
    try {
        await navigator.clipboard.writeText(location.href);
    } catch {
        const field = document.createElement('textarea');
        field.value = location.href;
        document.body.append(field);
        field.select();
        const copied = document.execCommand('copy');
        field.remove();
        if (!copied) return 'Copy the address above';
    }
    return 'Link copied';
}"""
"""Copy the page's address; browsers offer the first way on this machine and with https only."""

FETCH = """(file) => {
    if (!file) return;
    const anchor = document.createElement('a');
    anchor.href = file.url;
    anchor.download = file.orig_name;
    document.body.append(anchor);
    anchor.click();
    anchor.remove();
}"""
"""Let the browser store a file that has just been made."""
