// Jest's `testResultsProcessor`: https://jestjs.io/docs/configuration#testresultsprocessor-string
'use strict';
const { begin } = require('./junit.cjs');

const OUTCOMES = { passed: 'passed', failed: 'failed' };

module.exports = (results) => {
  const cases = [];
  const errors = [];
  for (const { testFilePath: file, testExecError, failureMessage, testResults } of results.testResults) {
    if (testExecError) errors.push({ message: `${file}: Test suite failed to run`, text: failureMessage });
    for (const test of testResults) {
      const [text = ''] = test.failureMessages ?? [];
      const name = [...test.ancestorTitles, test.title].join(' > ');
      const line = test.location?.line;
      cases.push({ file, line, name, outcome: OUTCOMES[test.status] ?? 'skipped', message: text.split('\n')[0], text });
    }
  }
  begin()(cases, errors);
  return results;
};
