#!/usr/bin/env node
// Plain JavaScript without new syntax: a Node that is too old must reach the message below instead of a syntax error.
var major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    'loghop: cannot run on Node ' +
      process.versions.node +
      ', it needs 24 or newer: in a checkout run it as "npx loghop" (npm ci brings Node 26), elsewhere install a newer Node\n',
  )
  process.exitCode = 1
} else {
  import('./start.js')
}
