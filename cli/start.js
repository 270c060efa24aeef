// Prepares the process for the TypeScript behind it; plain JavaScript, loaded only on a Node that is new enough.
import { existsSync } from 'node:fs'
import module from 'node:module'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

// Buffers from the network are freed when the small heap for young objects is collected. Left to grow, that heap is collected so rarely that the bytes
// waiting in it force full collections, a third of a relay's time. V8 takes this only at the start of a process, so a daemon starts itself anew in place.
const DAEMON_FLAGS = ['--max-semi-space-size=1']
const isDaemon = (process.argv[2] === 'agent' || process.argv[2] === 'relay') && process.argv[3] === 'run'
const hasFlags = process.execArgv.some((flag) => flag.startsWith('--max-semi-space-size'))
// Node marks what it inherits as not to be inherited further: sockets that systemd has passed would not survive. Their unit gives the flag itself.
const hasPassedSockets = process.env.LISTEN_FDS !== undefined

if (isDaemon && !hasFlags && !hasPassedSockets && typeof process.execve === 'function') {
  process.execve(process.execPath, [process.execPath, ...DAEMON_FLAGS, ...process.execArgv, ...process.argv.slice(1)])
} else {
  // Keeps the compiled form of the program, so that starting does not compile again: in a checkout beside the dependencies, as a service in the folder that
  // systemd made for it (CacheDirectory=). Never in one that others may write to, as Node's default in /tmp is.
  const isCheckout = existsSync(new URL('../package-lock.json', import.meta.url))
  const cache = isCheckout ? fileURLToPath(new URL('../node_modules/.cache/loghop', import.meta.url)) : process.env.CACHE_DIRECTORY
  if (cache !== undefined) module.enableCompileCache(cache)
  // Node takes no types away below node_modules, so the package for npm has all of it in plain JavaScript in a folder of its own.
  const packed = new URL('../lib/cli/main.js', import.meta.url)
  if (!isCheckout && existsSync(packed)) await import(packed.href)
  else await import('./main.ts')
}
