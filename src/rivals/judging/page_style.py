"""The style that all pages share, and their one script; `page.document` lets a browser run nothing else."""

SCRIPT = """
const box = document.getElementById("time")
if (box) {
  const sheets = [...box.querySelectorAll("img")], range = box.querySelector("input")
  const play = box.querySelector("button"), words = box.querySelector("output")
  let timer = 0
  const show = place => {
    range.value = place
    sheets.forEach((sheet, each) => sheet.hidden = each != place)
    words.value = sheets[place].dataset.when
    range.setAttribute("aria-valuetext", words.value)
  }
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play" }
  const next = () => +range.value < sheets.length - 1 ? show(+range.value + 1) : stop()
  range.addEventListener("input", () => { stop(); show(+range.value) })
  play.addEventListener("click", () => {
    if (timer) return stop()
    if (+range.value == sheets.length - 1) show(0)
    timer = setInterval(next, 600)
    play.textContent = "Stop"
  })
  show(sheets.length - 1)
  box.querySelector(".slide").hidden = false
}
for (const pair of document.querySelectorAll(".pair")) {
  const range = pair.querySelector("input")
  const show = () => pair.style.setProperty("--cut", range.value + "%")
  range.addEventListener("input", show)
  pair.classList.add("live")
  show()
}
"""

STYLE = """
:root{color-scheme:light dark;--ink:#1b1c1f;--soft:#595d66;--line:#dcdee3;--paper:#fff;--tint:#f4f5f7;--link:#0a5ca8;
--c0:#0a6fb8;--c1:#c4500b;--c2:#0b7d5c;--c3:#8446a5;--c4:#b3263e;
--c5:#5f6b00;--c6:#6b4a2b;--c7:#b0297f;--warn:#8f4700}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e7e8ea;--soft:#a4a9b3;--line:#373a42;--paper:#15161a;
--tint:#1f2126;--link:#79b8f3;--c0:#5cb3f0;--c1:#f2994f;--c2:#3fcb9e;--c3:#c99ae3;--c4:#f2808f;
--c5:#c3cf5c;--c6:#cfa37c;--c7:#f08ccb;--warn:#f0b35c}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0 auto;max-width:66rem;padding:2.5rem clamp(1rem,4vw,2.5rem) 4rem;background:var(--paper);
color:var(--ink);
font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:break-word}
h1{font-size:clamp(2rem,6vw,2.75rem);line-height:1.1;letter-spacing:-.022em;margin:0 0 .6rem}
h2{font-size:1.4rem;line-height:1.25;letter-spacing:-.012em;margin:0 0 .9rem}
h3{font-size:1rem;line-height:1.3;margin:0 0 .35rem}
table+h3,.scroll+h3,table+p,.chips+h3,p+h3{margin-top:1.5rem}
p,ul.notes,ol.notes{max-width:43rem;margin:.6rem 0}
section{border-top:1px solid var(--line);margin-top:2.75rem;padding-top:1.5rem}
a{color:var(--link);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--c0);outline-offset:2px;border-radius:2px}
nav{margin-top:1.4rem;font-size:.9rem}
nav ul,.legend,.chips{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem}
.soft,figcaption,.about{color:var(--soft)}
.about{font-size:1.05rem;margin:0}
.missing{color:var(--soft);font-style:italic}
.warn{color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,12.5rem),1fr));gap:1.2rem 2rem;
margin:0 0 1.4rem}
.tiles div{display:flex;flex-direction:column-reverse;justify-content:flex-end;border-left:3px solid var(--c0);
padding-left:.9rem}
.tiles dd{margin:0;font-size:2.1rem;font-weight:600;line-height:1.15;letter-spacing:-.02em}
.tiles dt{color:var(--soft);font-size:.9rem;line-height:1.4}
.lead{font-size:1.16rem;line-height:1.55}
figure{margin:0}
figcaption{font-size:.9rem;line-height:1.5;margin-top:.6rem;max-width:43rem}
img{display:block;max-width:100%;height:auto;image-rendering:pixelated;background:#fff;border:1px solid var(--line)}
img[hidden]{display:none}
.slide{display:flex;flex-wrap:wrap;align-items:center;gap:.4rem 1rem;margin-bottom:.8rem}
.slide[hidden]{display:none}
.slide input{flex:1 1 14rem;max-width:26rem;min-width:8rem;height:1.8rem;accent-color:var(--c0)}
.slide output{min-width:13ch}
button{font:inherit;font-size:.9rem;padding:.25rem .9rem;border:1px solid var(--line);border-radius:.4rem;
background:var(--tint);color:inherit;cursor:pointer;min-width:5.2rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:2.4rem 2.6rem;
margin-top:1.4rem}
.chart{display:flex;flex-direction:column}
.chart>svg{width:100%;height:auto;margin-top:.5rem;overflow:visible}
.legend{font-size:.85rem;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:.45rem}
.legend svg{width:26px;height:8px;flex:none}
svg text{font-size:12.5px;fill:var(--soft)}
svg .down,svg .end{text-anchor:end}
svg .across{text-anchor:middle}
svg path{fill:none;stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}
svg .grid{stroke:var(--line);stroke-width:1}
svg .base{stroke:var(--soft);stroke-width:1}
svg path.level{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:1.5 5}
svg path.faint{stroke-width:1;opacity:.32}
svg path.beside{stroke-width:1.1;opacity:.55}
.s0{stroke:var(--c0);fill:var(--c0)}.s1{stroke:var(--c1);fill:var(--c1)}
.s2{stroke:var(--c2);fill:var(--c2)}.s3{stroke:var(--c3);fill:var(--c3)}
.s4{stroke:var(--c4);fill:var(--c4)}.s5{stroke:var(--c5);fill:var(--c5)}
.s6{stroke:var(--c6);fill:var(--c6)}.s7{stroke:var(--c7);fill:var(--c7)}
:is(.s1,.s5) path:not(.faint){stroke-dasharray:9 4}:is(.s2,.s6) path:not(.faint){stroke-dasharray:2 4.5}
:is(.s3,.s7) path:not(.faint){stroke-dasharray:9 4 1 4}
svg .dots{stroke:none;fill-opacity:.75}svg .rings{fill:none;stroke-width:1.1;stroke-opacity:.8}
.cloud>svg{width:min(100%,34rem);height:auto;margin-top:.5rem;border:1px solid var(--line)}
figure+h3{margin-top:1.5rem}.scroll+figure{margin-top:1.1rem}
.tip{fill:transparent}.tip:hover{fill:var(--ink);opacity:.08}
.versus{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-start}
.versus+.versus{margin-top:1.6rem}
.versus img{image-rendering:auto;width:19rem;max-width:calc(100vw - 3rem)}
.versus figcaption{flex-basis:100%;margin-top:0}
.pair{display:flex;flex-wrap:wrap;gap:1rem}
.pair input{display:none}
.pair.live{display:grid;position:relative;overflow:hidden;--cut:50%}
.pair.live>*{grid-area:1/1}
.pair.live>.given{z-index:1;clip-path:inset(0 calc(100% - var(--cut)) 0 0)}
.pair.live::after{content:"";position:absolute;top:0;bottom:0;left:var(--cut);width:2px;margin-left:-1px;
background:#fff;box-shadow:0 0 0 1px #000;pointer-events:none;z-index:2}
.pair.live input{z-index:3;display:block;width:100%;height:100%;margin:0;opacity:0;cursor:ew-resize;touch-action:pan-y}
.pair.live:focus-within{outline:3px solid var(--c0);outline-offset:2px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.925rem;line-height:1.45;min-width:min(100%,28rem);max-width:100%}
th,td{padding:.38rem 1.4rem .38rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
overflow-wrap:anywhere;unicode-bidi:isolate}
.wide :is(th,td){overflow-wrap:break-word}
tbody th{font-weight:500;min-width:8.5rem}
thead th{color:var(--soft);font-size:.8rem;font-weight:500}
.chips{gap:.35rem;margin:.6rem 0}
.chips li{background:var(--tint);border-radius:.35rem;padding:.1rem .55rem;font-size:.9rem;max-width:100%;
unicode-bidi:isolate}
.chips span{color:var(--soft)}
details{margin-top:1rem}
summary{cursor:pointer;width:fit-content}
pre{background:var(--tint);border-radius:.5rem;padding:.9rem 1.1rem;overflow-x:auto;font-size:.875rem;line-height:1.5;
white-space:pre-wrap;overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace}
footer{border-top:1px solid var(--line);margin-top:3rem;padding-top:1rem;color:var(--soft);font-size:.875rem}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media print{html{font-size:11px}section{margin-top:1.6rem;padding-top:1rem}body{max-width:none;padding:0}
nav,.slide,details:not([open]),.pair.live::after,.pair.live input{display:none}
.pair.live{display:flex}.pair.live>.given{clip-path:none}
figure,tr,.tiles{break-inside:avoid}h2,h3{break-after:avoid}.charts{grid-template-columns:1fr 1fr}}
"""
