#!/usr/bin/env node
// Plain JavaScript without new syntax: a Node that is too old must reach the message of other-node.js instead of a syntax error.
var major = Number(process.versions.node.split('.')[0])
import(major < 24 ? './other-node.js' : './start.js')
