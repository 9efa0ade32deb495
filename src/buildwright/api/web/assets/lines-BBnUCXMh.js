function e(e){return e.split(`
`).map(e=>e.trim()).filter(Boolean)}function t(e){return/^[\w./:@-]+$/.test(e)?e:`'${e.replaceAll(`'`,`'"'"'`)}'`}export{t as n,e as t};