// Started by a Node that is too old: the newer one that came with the package, where there is one, takes its place. Nothing newer than Node 14 here.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('./loghop.js', import.meta.url))
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1']

function findNode() {
  try {
    return join(dirname(createRequire(ENTRY).resolve(`node-${process.platform}-${process.arch}/package.json`)), 'bin', 'node')
  } catch {
    return undefined
  }
}

function handOver(program) {
  const child = spawn(program, [ENTRY, ...process.argv.slice(2)], { stdio: 'inherit' })
  // Whoever stops this process means that one.
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`loghop: cannot run ${program}: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (signal === null) process.exitCode = code
    else {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
  })
}

const program = findNode()
if (program !== undefined) handOver(program)
else {
  process.stderr.write(
    `loghop: cannot run on Node ${process.versions.node}, it needs 24 or newer: in a checkout run it as "npx loghop" (npm ci brings Node 26), elsewhere install a newer Node\n`,
  )
  process.exitCode = 1
}
