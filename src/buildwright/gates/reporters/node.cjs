// Reporter for Node's own test runner: https://nodejs.org/api/test.html#custom-reporters
'use strict';
const path = require('node:path');
const { begin, thrown } = require('./junit.cjs');

module.exports = async function* (events) {
  const write = begin();
  const cases = [];
  const around = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') {
      around.length = data.nesting;
      around[data.nesting] = data.name;
    } else if (type === 'test:pass' || type === 'test:fail') {
      const { name, nesting, file, line, details } = data;
      const failed = type === 'test:fail' && data.todo === undefined;
      const ofChild = details?.error?.failureType === 'subtestsFailed';
      const isFile = !failed && file && path.resolve(name) === path.resolve(file);
      if (isFile || (details?.type === 'suite' && (!failed || ofChild))) continue;
      const skipped = data.skip !== undefined || data.todo !== undefined;
      const outcome = failed ? 'failed' : skipped ? 'skipped' : 'passed';
      const names = [...around.slice(0, nesting), name].join(' > ');
      cases.push({ file, line, name: names, outcome, ...(failed ? thrown(details?.error) : {}) });
    }
  }
  write(cases, []);
};
