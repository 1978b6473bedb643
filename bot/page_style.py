"""The look of the page: one style sheet and the one script, both inline, nothing from another host."""

__all__ = ["HEAD", "STYLE"]

STYLE = """
.gradio-container{max-width:1180px!important;margin:0 auto!important;padding:0!important}
.gradio-container main.app{padding:20px 20px 48px!important}
.gradio-container .html-container{padding:0}
.brand{display:flex;align-items:center;gap:12px;padding:4px 0}
.brand i{width:34px;height:34px;border-radius:10px;background:var(--primary-700);display:grid;
 place-items:center}
.brand i:after{content:"";width:14px;height:14px;border-radius:50% 50% 50% 3px;background:#fff}
.brand b{font-size:1.3rem;letter-spacing:-.01em}
.brand span,.quiet{color:var(--body-text-color-subdued)}
.quiet{font-size:.86rem;line-height:1.5;margin:0}
.notice{border-left:3px solid var(--primary-600);background:var(--background-fill-secondary);
 border-radius:8px;padding:10px 14px;margin:2px 0 8px;overflow-wrap:anywhere}
.notice.warn{border-color:#d97706}
.notice.error{border-color:#dc2626}
#chat .placeholder-content{text-align:center}
#chat button[aria-label="Clear"],#chat button[title="Clear"]{display:none}
#controls button{flex:0 0 auto}
.said p{margin:0 0 .55em}
.said p:last-child{margin:0}
.said a.cite,.number{display:inline-block;min-width:1.45em;text-align:center;border-radius:6px;
 padding:0 .35em; font-size:.78em;line-height:1.5;font-weight:600;color:#fff!important;background:var(--primary-700);
 text-decoration:none!important;opacity:1!important}
.badge{display:inline-block;font-size:.76rem;border-radius:6px;padding:1px 8px;margin-bottom:6px;
 color:#92400e;background:#fef3c7}
.panel a,.table a{margin:0!important;padding:0!important}
.panel h3{margin:2px 0 10px;font-size:1rem}
.panel details{border:1px solid var(--border-color-primary);border-radius:10px;margin:0 0 10px;
 background:var(--background-fill-primary)}
.panel summary{cursor:pointer;padding:10px 12px;line-height:1.4;overflow-wrap:anywhere}
.panel summary small{display:block;color:var(--body-text-color-subdued);margin-top:2px;font-size:.82rem}
.panel .inside{padding:0 12px 12px;border-top:1px solid var(--border-color-primary)}
.panel blockquote{margin:12px 0!important;padding:0!important;border:0!important;white-space:pre-wrap;
 overflow-wrap:anywhere;font-size:.94rem;line-height:1.6;max-height:320px;overflow-y:auto}
.panel mark{background:#fff1b8;color:#1d2733;border-radius:3px;padding:.05em .1em}
.panel iframe{width:100%;height:420px;border:0;border-top:1px solid var(--border-color-primary);
 background:#fff;border-radius:0 0 10px 10px;display:block}
.panel .inside details{margin:10px 0 0}
.panel .older{border-style:dashed}
.panel .older>.inside{padding-top:12px}
.table{overflow-x:auto}
.table table{width:100%;border-collapse:collapse;font-size:.93rem;margin:0!important;border:0!important}
.table th{text-align:left;font-weight:600;color:var(--body-text-color-subdued)!important;font-size:.82rem}
.table th,.table td{padding:9px 10px!important;border:0!important;vertical-align:top;
 border-bottom:1px solid var(--border-color-primary)!important}
.role{color:var(--primary-700);font-weight:600;white-space:nowrap}
.dark .role{color:var(--primary-300)}
.failed td:first-child{color:#dc2626}
@media(max-width:640px){.gradio-container main.app{padding:10px 10px 32px!important}.brand span{display:none}}
"""
# A mark in an answer opens its passage in the panel; a plain anchor could find it folded away.
HEAD = """<meta name="robots" content="noindex"><script>
document.addEventListener("click", event => {
  const mark = event.target.closest && event.target.closest("a.cite");
  if (!mark) return;
  event.preventDefault();
  const place = document.getElementById(mark.getAttribute("href").slice(1));
  for (let fold = place; fold; fold = fold.parentElement) if (fold.tagName === "DETAILS") fold.open = true;
  if (place) place.scrollIntoView({behavior: "smooth", block: "center"});
});</script>"""
