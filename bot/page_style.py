"""The look of the page: one style sheet and the one script, both inline, nothing from another host."""

__all__ = ["BRAND", "HEAD", "STYLE", "WELCOME"]

BRAND = '<div class="brand"><i></i><b>Frontdesk</b><span>Answers from your own documents</span></div>'
WELCOME = "### How can we help?\nEvery answer comes from the documents and shows where it stands."
STYLE = """
.gradio-container{width:100%!important;max-width:1200px!important;margin:0 auto!important;padding:0!important}
.gradio-container main.app,.gradio-container .main.app{padding:18px 24px 40px!important}
.gradio-container .html-container{padding:0}
.gradio-container .tab-container button.selected{color:var(--primary-700)!important;font-weight:600}
.gradio-container .tab-container button.selected:after{background:var(--primary-700)!important}
.dark .gradio-container .tab-container button.selected{color:var(--primary-300)!important}
.brand{display:flex;align-items:center;gap:11px;padding:2px 0}
.brand i{width:32px;height:32px;border-radius:9px;background:var(--primary-700);display:grid;place-items:center}
.brand i:after{content:"";width:13px;height:13px;border-radius:50% 50% 50% 3px;background:#fff}
.brand b{font-size:1.25rem;letter-spacing:-.01em}
.brand span{padding-left:12px;border-left:1px solid var(--border-color-primary)}
.brand span,.quiet{color:var(--body-text-color-subdued)}
.quiet{font-size:.84rem!important;line-height:1.5;margin:0!important}
.notice{display:flex;gap:9px;align-items:baseline;border:1px solid #99f6e4;background:#f0fdfa;color:#134e4a;
 border-radius:8px;padding:8px 12px;margin:0;font-size:.9rem;line-height:1.5;overflow-wrap:anywhere}
.notice+.notice{margin-top:8px}
.notice:before{content:"";flex:0 0 8px;height:8px;border-radius:50%;background:#0d9488}
.notice.warn{border-color:#fde68a;background:#fffbeb;color:#78350f}
.notice.warn:before{background:#d97706}
.notice.error{border-color:#fecaca;background:#fef2f2;color:#7f1d1d}
.notice.error:before{background:#dc2626}
.empty{display:grid;gap:4px;justify-items:center;text-align:center;padding:34px 20px;border-radius:10px;
 border:1px dashed var(--border-color-primary);background:var(--background-fill-primary);font-size:.9rem}
.empty span{color:var(--body-text-color-subdued)}
.card{border:1px solid var(--border-color-primary);border-radius:10px;padding:16px;
 background:var(--background-fill-primary);gap:12px!important}
.card h3,.panel h3{margin:0 0 10px!important;font-size:1rem!important;font-weight:600!important}
.card h3{margin:0!important}
.card .column{gap:10px!important}
.card>.card{border:0;padding:0}
.hidden,.hide{display:none!important}
#chat .bubble-wrap{background:var(--background-fill-primary)}
#chat .message-row{font-size:.95rem}
#chat .message{overflow-wrap:anywhere}
#chat .prose{opacity:1!important}
#chat .said,#chat .said p{font-size:.95rem;line-height:1.6;color:var(--body-text-color);opacity:1}
#chat .user.message{background:var(--primary-700);border-color:var(--primary-700)}
#chat .user.message .said,#chat .user.message .said p{color:#fff}
#chat .placeholder-content{text-align:center}
#chat .placeholder h3{margin-bottom:6px}
#chat button[aria-label="Clear"],#chat button[title="Clear"]{display:none}
#question .submit-button,#comment .submit-button{background:var(--primary-700);color:#fff;border-radius:8px;
 padding:0 14px;min-width:60px;font-weight:600}
#question .submit-button:hover,#comment .submit-button:hover{background:var(--primary-800)}
#question button:disabled{opacity:.45}
#controls{align-items:center;gap:8px;min-height:30px}
#controls button{flex:0 0 auto}
#status{flex:1 1 200px}
.said p{margin:0 0 .55em!important}
.said p:last-child{margin:0!important}
.said p.step{padding-left:1.3em;text-indent:-1.3em}
.said a.cite,.number{display:inline-block;min-width:1.5em;text-align:center;border-radius:6px;text-indent:0;
 padding:0 .35em;font-size:.76em;line-height:1.6;font-weight:600;color:#fff!important;background:var(--primary-700);
 text-decoration:none!important;opacity:1!important}
.said a.cite:hover{background:var(--primary-800)}
.badge,.pill{display:inline-block;font-size:.76rem;font-weight:600;border-radius:99px;padding:1px 9px;
 color:#92400e;background:#fef3c7;white-space:nowrap}
.badge{margin-bottom:6px}
.pill{color:#475569;background:#e2e8f0}
.pill.champion,.added .pill,.changed .pill{color:#115e59;background:#ccfbf1}
.pill.candidate{color:#92400e;background:#fef3c7}
.failed .pill{color:#991b1b;background:#fee2e2}
.panel a,.table a{margin:0!important;padding:0!important;color:var(--primary-700)!important}
.dark .panel a,.dark .table a{color:var(--primary-300)!important}
.panel details{border:1px solid var(--border-color-primary);border-radius:10px;margin:0 0 10px;
 background:var(--background-fill-primary)}
.panel summary{cursor:pointer;padding:10px 12px;line-height:1.45;overflow-wrap:anywhere;font-size:.92rem}
.panel summary small{display:block;color:var(--body-text-color-subdued);margin-top:2px;font-size:.82rem}
.panel .inside{padding:0 12px 12px;border-top:1px solid var(--border-color-primary)}
.panel blockquote{margin:12px 0!important;padding:0!important;border:0!important;white-space:pre-wrap;
 overflow-wrap:anywhere;font-size:.92rem;line-height:1.6;max-height:320px;overflow-y:auto}
.panel mark{background:#fef3c7;color:#1e293b;border-radius:3px;padding:.1em 0}
.panel iframe{width:100%;height:420px;border:0;border-top:1px solid var(--border-color-primary);
 background:#fff;border-radius:0 0 10px 10px;display:block}
.panel .inside details{margin:10px 0 0}
.panel .older{margin-top:12px;border-style:dashed}
.panel .older>.inside{padding-top:12px}
.table{overflow-x:auto;border:1px solid var(--border-color-primary);border-radius:10px;
 background:var(--background-fill-primary)}
.notice+.table,.notice+.empty{margin-top:12px}
.table table{width:100%;border-collapse:collapse;font-size:.9rem;margin:0!important;border:0!important}
.table th{text-align:left;font-weight:600;color:var(--body-text-color-subdued)!important;font-size:.8rem;
 background:var(--background-fill-secondary)!important}
.table th,.table td{padding:9px 14px!important;border:0!important;vertical-align:top;
 border-bottom:1px solid var(--border-color-primary)!important;font-variant-numeric:tabular-nums}
.table tr,.table thead,.table tbody{border:0!important}
.table tr:last-child td{border-bottom:0!important}
.table td small{display:block;color:var(--body-text-color-subdued);font-size:.8rem;margin-top:1px}
.table td:first-child,.results td{overflow-wrap:anywhere}
.table td:not(:first-child){white-space:nowrap}
.results td:not(:first-child){white-space:normal;width:100%}
#replaces input,#doomed input,#version input{text-overflow:ellipsis;padding-right:28px}
#release{align-items:center}
#release button{flex:0 1 96px}
@media(max-width:640px){.gradio-container main.app,.gradio-container .main.app{padding:12px 12px 28px!important}
 .brand span{display:none}.table th,.table td{padding:8px 10px!important}
 #documents th:nth-child(4),#documents td:nth-child(4){display:none}
 #release{gap:8px}.row:has(>.column>#documents){flex-direction:column-reverse}}
"""
# A mark in an answer opens its passage in the panel; a plain anchor could find it folded away.
HEAD = """<meta name="robots" content="noindex">
<link rel="icon" type="image/svg+xml" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='9' fill='%230f766e'/%3E%3Cpath d='M10 22v-6a6 6 0 1 1 6 6z' \
fill='%23fff'/%3E%3C/svg%3E"><script>
document.addEventListener("click", event => {
  const mark = event.target.closest && event.target.closest("a.cite");
  if (!mark) return;
  event.preventDefault();
  const place = document.getElementById(mark.getAttribute("href").slice(1));
  for (let fold = place; fold; fold = fold.parentElement) if (fold.tagName === "DETAILS") fold.open = true;
  if (place) place.scrollIntoView({behavior: "smooth", block: "center"});
});</script>"""
