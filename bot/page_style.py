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
#question .submit-button,#comment .submit-button,#query .submit-button{background:var(--primary-700);
 color:#fff;border-radius:8px;padding:0 14px;min-width:60px;font-weight:600}
#question .submit-button:hover,#comment .submit-button:hover,#query .submit-button:hover{background:var(--primary-800)}
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
.pill.champion,.pill.force,.added .pill,.changed .pill{color:#115e59;background:#ccfbf1}
.pill.candidate,.pill.coming{color:#92400e;background:#fef3c7}
.failed .pill,.pill.late{color:#991b1b;background:#fee2e2}
.pill.staff{color:#3730a3;background:#e0e7ff}
.pill.never{color:#64748b;background:none;box-shadow:inset 0 0 0 1px #cbd5e1}
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
#version input,#library input[role=combobox]{text-overflow:ellipsis;padding-right:28px}
#release{align-items:center}
#release button{flex:0 1 96px}
@media(max-width:640px){.gradio-container main.app,.gradio-container .main.app{padding:12px 12px 28px!important}
 .brand span{display:none}.table th,.table td{padding:8px 10px!important}
 #documents th:nth-child(4),#documents td:nth-child(4){display:none}
 #release{gap:8px}.row:has(>.column>.row+#documents){flex-direction:column-reverse}}
"""
# Of the Documents tab.
LIBRARY = """
#library>.tab-wrapper .tab-container:after{display:none}
#library>.tab-wrapper{height:auto;padding:0}
#library>.tab-wrapper .tab-container{height:auto}
#library>.tab-wrapper button{font-size:.86rem;border-radius:99px;padding:4px 13px;height:30px}
#library>.tab-wrapper button.selected{background:#ccfbf1}
.dark #library>.tab-wrapper button.selected{background:var(--primary-900)}
#library>.tab-wrapper button:after{display:none!important}
#library .tabitem{padding:0;border:0}
#library{gap:12px}
#library .block:has(>.html-container>.prose:empty):not(:has(>.wrap:not(.hide))){display:none}
#library .form{border:0;background:none;box-shadow:none;border-radius:0;overflow:visible;gap:12px}
#library .form>.block{border:0!important;padding:0!important;background:none;overflow:visible!important;
 box-shadow:none}
#library .form [data-testid=block-info],.day span{display:block;font-size:.82rem;line-height:1.3;margin:0 0 5px;
 color:var(--body-text-color-subdued);font-weight:400;padding:0;background:none;border:0}
#library .form .input-container input,#library .form .input-container textarea,#library .form .wrap:has(>.wrap-inner),
.day input{border:1px solid var(--input-border-color)!important;border-radius:8px!important;box-sizing:border-box;
 background:var(--input-background-fill)!important;min-height:40px;padding:8px 11px;font-size:.92rem;margin:0}
#library .form .wrap:has(>.wrap-inner){padding:0 6px;display:flex;align-items:center}
#library .form .wrap-inner{padding:0;flex:1;min-width:0}
#library .form .wrap-inner input{font-size:.92rem;padding-left:5px}
#library .form .input-container{align-items:stretch;gap:8px}
#library .form .submit-button{height:auto;margin:0}
#library fieldset .wrap{gap:6px 18px}
#library fieldset label{border:0;padding:2px 0;background:none;box-shadow:none;font-size:.92rem}
.title h3,.head h2{margin:0!important;font-weight:600!important}
.title h3{font-size:1rem!important;padding-top:6px}
.quiet a,.passages a{color:var(--primary-700)!important;margin:0!important;padding:0!important}
.table+.quiet,.diff+.quiet,.passages+.quiet,.hits+.quiet,.timeline+.quiet{margin-top:8px!important}
button[data-id]{font:inherit;background:none;border:0;padding:0;cursor:pointer;text-align:left;font-weight:600;
 color:var(--primary-700);overflow-wrap:anywhere}
.dark button[data-id]{color:var(--primary-300)}
button[data-id]:hover{text-decoration:underline}
button[data-id]:focus-visible{outline:2px solid var(--primary-700);outline-offset:2px;border-radius:4px}
button.sync,button.force,button.drop{display:block;font-size:.84rem}
.dark .quiet a,.dark .passages a,.dark .hits summary{color:var(--primary-300)!important}
.dark .day input{color-scheme:dark}
.dark .scores i{background:#334155}
button.drop{color:var(--body-text-color-subdued)}
#filters,#search{align-items:flex-end;gap:12px;flex-wrap:wrap}
#filters .day-field small,#search .day-field small{display:none}
#filters>.day-field,#search>.day-field{flex:0 1 150px}
#filters>.form:has(#past){flex:0 0 auto!important;min-width:0!important}
#past{min-height:40px;display:flex;align-items:center;white-space:nowrap}
#past label{font-size:.92rem}
.day input{width:100%;font-family:inherit;color:var(--body-text-color);height:40px}
.day input:focus{outline:0;border-color:var(--primary-600)!important}
.day-field{min-width:136px!important}
.day-field small{color:var(--body-text-color-subdued);font-size:.78rem}
.fold{border:1px solid var(--border-color-primary)!important;border-radius:10px!important;padding:12px 16px!important;
 background:var(--background-fill-primary)!important}
.fold>button{font-size:.95rem!important;font-weight:600}
.card .fold{padding:8px 12px!important;border-radius:8px!important}
.card .fold>button{font-size:.86rem!important;font-weight:500}
.head{padding-top:2px}
.head h2{font-size:1.3rem!important;line-height:1.35;display:inline;overflow-wrap:anywhere;margin-right:10px!important}
.head .pill{margin-right:6px;vertical-align:3px}
.head p{margin-top:4px!important;overflow-wrap:anywhere}
#back{align-self:flex-start;flex:0 0 auto;width:auto}
.timeline{position:relative;border:1px solid var(--border-color-primary);border-radius:10px;
 padding:34px 34px 36px 104px;background:var(--background-fill-primary)}
.timeline .lane{position:relative;height:26px;z-index:1}
.timeline .lane b{position:absolute;left:-88px;font-size:.84rem;font-weight:500;line-height:26px;white-space:nowrap}
.timeline .lane i{position:absolute;top:5px;bottom:5px;min-width:5px;border-radius:4px;background:#94a3b8}
.timeline i.force{background:#0d9488}
.timeline i.coming{background:#f59e0b}
.timeline i.never{background:none;border-left:3px dotted #94a3b8;border-radius:0}
.timeline i.open{border-radius:4px 0 0 4px;mask-image:linear-gradient(90deg,#000 70%,transparent)}
.timeline .axis{position:absolute;inset:0 34px 0 104px;font-size:.76rem;line-height:1;white-space:nowrap;
 color:var(--body-text-color-subdued)}
.timeline .axis span{position:absolute;top:28px;bottom:30px;border-left:1px solid var(--border-color-primary)}
.timeline .axis span em{color:var(--body-text-color-subdued);position:absolute;bottom:-18px;font-style:normal;
 transform:translateX(-50%)}
.timeline .axis .today{border-left:2px solid #0f766e;z-index:2}
.timeline .axis .today em{bottom:auto;top:-17px;color:#0f766e;font-weight:600}
.dark .timeline .axis .today em{color:var(--primary-300)}
.dated td:nth-child(3){width:1%}
.dated td:nth-child(5){white-space:normal!important;overflow-wrap:break-word;min-width:90px}
.sources td:first-child{min-width:190px}
.sources td:nth-child(3){white-space:normal!important;overflow-wrap:anywhere;width:45%}
.dated td:nth-child(4) small{white-space:normal;overflow-wrap:anywhere}
.diff{border:1px solid var(--border-color-primary);border-radius:8px;overflow:hidden;font-size:.88rem;line-height:1.55}
.diff p{margin:0!important;padding:2px 12px 2px 30px;position:relative;white-space:pre-wrap;overflow-wrap:anywhere}
.diff p:before{position:absolute;left:12px;font-weight:600}
.diff del,.diff ins{text-decoration:none}
.diff .removed,.diff .removed *{background:#fef2f2;color:#7f1d1d}
.diff .removed:before{content:"\\2212"}
.diff .added,.diff .added *{background:#f0fdfa;color:#134e4a}
.diff .added:before{content:"+"}
.diff .removed mark{background:#fecaca;border-radius:3px}
.diff .added mark{background:#99f6e4;border-radius:3px}
.diff .gap{color:var(--body-text-color-subdued);background:var(--background-fill-secondary)}
.passages,.hits{display:grid;gap:10px}
.passages{max-height:560px;overflow-y:auto}
.passages article,.hits article{border:1px solid var(--border-color-primary);border-radius:10px;padding:10px 14px;
 background:var(--background-fill-primary);font-size:.9rem;min-width:0}
.passages header,.hits header{line-height:1.5;overflow-wrap:anywhere}
.passages small,.hits small{display:block;color:var(--body-text-color-subdued);font-size:.8rem}
.passages p,.hits p{white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.55;margin:6px 0 0!important}
.hits summary{cursor:pointer;font-size:.82rem;color:var(--primary-700);margin-top:4px}
.scores{display:grid;grid-template-columns:repeat(4,auto minmax(32px,1fr) auto);
 gap:4px 8px;align-items:center;font-size:.8rem;margin:6px 0 2px;max-width:640px;color:var(--body-text-color-subdued)}
.scores b{font-variant-numeric:tabular-nums;font-weight:600;color:var(--body-text-color);margin-right:12px}
.scores i{height:6px;border-radius:99px;background:#e2e8f0;overflow:hidden;display:block}
.scores u{display:block;height:100%;background:#0d9488;border-radius:99px}
@media(max-width:640px){.timeline{padding-left:92px;padding-right:22px}.timeline .axis{inset:0 22px 0 92px}
 .timeline .lane b{left:-80px}.timeline .axis span:nth-child(even):not(.today) em{display:none}
 .scores{grid-template-columns:auto 1fr auto}#filters>*,#search>*{flex:1 1 136px!important}
 #filters>.form:first-of-type,#search>.form:first-of-type{flex-basis:100%!important}
 #documents th:nth-child(3),#documents td:nth-child(3),.dated th:nth-child(4),.dated td:nth-child(4){display:none}
 #documents td:nth-child(2),.dated td:nth-child(2){white-space:normal!important;min-width:104px}
 .sources thead{display:none}.sources table,.sources tbody,.sources tr{display:block;width:100%}
 .sources td{display:block;width:auto!important;border:0!important;padding:4px 12px!important;
 white-space:normal!important}.sources td:nth-child(4):before{content:"last good: "}
 .sources td:first-child{padding-top:12px!important}
 .sources td:last-child{padding-bottom:12px!important;border-bottom:1px solid var(--border-color-primary)!important}
 .sources button[data-id]{display:inline-block;margin-right:14px}
 .dated th,.dated td{padding:8px!important}.dated td:nth-child(5){min-width:70px}}
"""
STYLE += LIBRARY
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
