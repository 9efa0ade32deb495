// Writes JUnit XML beside this file. Cases: { file, name, outcome, message, text, line }; errors: { file, message }.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { randomUUID } = require('node:crypto');

const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const COLOUR = /\u001b\[[0-9;]*m/g;
const NAMES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;', '\t': '&#9;' };

const plain = (value) => String(value ?? '').replace(COLOUR, '').replace(CONTROL, '');
const escaped = (value) => plain(value).replace(/[&<>"\n\t]/g, (letter) => NAMES[letter]);

function said(tag, { message, text }) {
  return `<${tag} message="${escaped(plain(message).slice(0, 2000))}">${escaped(plain(text).slice(0, 20000))}</${tag}>`;
}

function caseXml(one) {
  // Whole, because the reader knows the top of the tree and this process only the folder of its part.
  const file = one.file ? path.resolve(one.file) : '';
  const line = one.line ? ` line="${one.line}"` : '';
  const inside = { passed: '', skipped: '<skipped/>', failed: said('failure', one) }[one.outcome];
  return `<testcase classname="${escaped(file)}" name="${escaped(one.name)}" file="${escaped(file)}"${line}>${inside}</testcase>`;
}

// Starts the report of a run that has not ended; what it returns writes the whole one.
exports.begin = () => {
  const place = path.join(__dirname, `${randomUUID()}.xml`);
  const write = (cases, errors) => {
    const inside = [...cases.map(caseXml), ...errors.map((one) => said('error', one))].join('\n');
    fs.writeFileSync(place, `<testsuites><testsuite name="">\n${inside}\n</testsuite></testsuites>\n`);
  };
  write([], [{ message: 'The test run ended before its report was written: something in it ended the process.' }]);
  return write;
};

exports.thrown = (error) => {
  const cause = error?.cause ?? error;
  return { message: cause?.message ?? cause, text: cause?.stack ?? error?.stack ?? '' };
};
