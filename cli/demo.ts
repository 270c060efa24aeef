import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { LoghopError } from '../core/base/errors.ts'

const HOST = 'web01.example.com'
const RELAY = 'relay.example.com'
const START_LIMIT_MS = 15_000
const ARRIVE_LIMIT_MS = 15_000

interface Demo {
  readonly directory: string
  readonly socket: string
  readonly file: string
}

function write(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function makeIdentities(directory: string): Promise<void> {
  const authority = path.join(directory, 'ca')
  if (fs.existsSync(authority)) return
  const { initAuthority } = await import('../pki/init.ts')
  const { issueIdentity } = await import('../pki/issue.ts')
  const now = Date.now()
  await initAuthority({ directory: authority, name: 'Loghop Demo' }, now)
  await issueIdentity(
    { name: RELAY, role: 'relay', san: ['localhost', '127.0.0.1'], directory: authority, out: path.join(directory, 'relay-identity') },
    now,
  )
  await issueIdentity({ name: HOST, role: 'agent', directory: authority, out: path.join(directory, 'agent-identity') }, now)
}

function writeConfigurations(demo: Demo, port: number): void {
  const { directory } = demo
  fs.writeFileSync(
    path.join(directory, 'relay.yaml'),
    `identity: ${directory}/relay-identity
spool: { directory: ${directory}/relay-spool, limit: 256MiB }
listeners:
  - { tls: "127.0.0.1:${port}", clients: { names: ["*.example.com"] } }
destinations:
  - { files: "${directory}/logs/$HOST/messages" }
`,
  )
  fs.writeFileSync(
    path.join(directory, 'agent.yaml'),
    `identity: ${directory}/agent-identity
hostname: ${HOST}
spool: { directory: ${directory}/agent-spool, limit: 256MiB }
sources:
  - unix: ${demo.socket}
relays: [ "localhost:${port}" ]
`,
  )
}

/** Starts a daemon as a process of its own and waits until it says that it runs. */
function startDaemon(name: 'agent' | 'relay', directory: string, children: ChildProcess[]): Promise<string> {
  const entry = fileURLToPath(new URL('./loghop.js', import.meta.url))
  // Its own process group: Ctrl-C reaches the demo alone, which then stops both in order.
  const child = spawn(process.execPath, [entry, name, 'run', '--config', path.join(directory, `${name}.yaml`)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  children.push(child)
  const logFile = fs.createWriteStream(path.join(directory, `${name}.log`), { flags: 'a' })
  return new Promise((resolve, reject) => {
    let said = ''
    const fail = (reason: string): void =>
      reject(new LoghopError('DEMO', `Cannot start the ${name}: ${reason}\n${said.trim()}`, `See ${path.join(directory, `${name}.log`)}`))
    const deadline = setTimeout(() => fail(`it did not start within ${START_LIMIT_MS / 1000} s`), START_LIMIT_MS)
    child.stderr!.on('data', (chunk: Buffer) => {
      logFile.write(chunk)
      if (said.length < 20_000) said += chunk.toString('utf8')
      const started = /^.* info started: .*$/m.exec(said)
      if (started === null) return
      clearTimeout(deadline)
      resolve(started[0])
    })
    child.once('exit', (code, signal) => {
      clearTimeout(deadline)
      fail(`it ended with ${code ?? signal}`)
    })
  })
}

function stopDaemon(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}

/** Calls `onLine` for each line that is added to the file from now on. @returns a function that reads what is there and stops */
function followFile(file: string, onLine: (line: string) => void): () => void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o750 })
  let at = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
  let rest = ''
  const read = (): void => {
    const size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
    if (size <= at) return
    const fd = fs.openSync(file, 'r')
    const bytes = Buffer.alloc(size - at)
    fs.readSync(fd, bytes, 0, bytes.length, at)
    fs.closeSync(fd)
    at = size
    const lines = (rest + bytes.toString('utf8')).split('\n')
    rest = lines.pop()!
    for (const line of lines) onLine(line)
  }
  const watcher = fs.watch(path.dirname(file), read)
  // A watcher may miss what happened before it was armed.
  const timer = setInterval(read, 200)
  return () => {
    watcher.close()
    clearInterval(timer)
    read()
  }
}

async function sendOne(demo: Demo, text: string): Promise<void> {
  const { sendDatagram } = await import('../core/platform/send-datagram.ts')
  sendDatagram(demo.socket, `<14>loghop-demo: ${text}`)
}

async function demo(flags: { directory?: string; once?: boolean }): Promise<void> {
  if (flags.directory !== undefined) fs.mkdirSync(flags.directory, { recursive: true, mode: 0o700 })
  const isKept = flags.directory !== undefined
  const directory = isKept ? path.resolve(flags.directory!) : fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-demo-'))
  const self: Demo = { directory, socket: path.join(directory, 'log'), file: path.join(directory, 'logs', HOST, 'messages') }
  const children: ChildProcess[] = []
  const stop = async (): Promise<void> => {
    // The agent first, so that it delivers what it has. One that is started meanwhile has its turn.
    while (children.length > 0) await stopDaemon(children.pop()!)
  }
  let unfollow: (() => void) | undefined
  // Also while it starts: the daemons are in groups of their own and would stay.
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve())
    process.once('SIGTERM', () => resolve())
  })
  let isStarted = false
  void interrupted.then(async () => {
    if (isStarted) return
    for (const child of children) child.removeAllListeners('exit')
    await stop()
    process.exit(1)
  })
  try {
    await makeIdentities(directory)
    writeConfigurations(self, 0)
    const relay = await startDaemon('relay', directory, children)
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(relay)![1])
    writeConfigurations(self, port)
    await startDaemon('agent', directory, children)
    isStarted = flags.once !== true
    if (flags.once === true) {
      const marker = `hello from the demo, ${process.pid}`
      const line = await new Promise<string>((resolve, reject) => {
        const deadline = setTimeout(
          () =>
            reject(
              new LoghopError(
                'DEMO',
                `The line did not arrive within ${ARRIVE_LIMIT_MS / 1000} s`,
                `See agent.log and relay.log in ${directory}`,
              ),
            ),
          ARRIVE_LIMIT_MS,
        )
        unfollow = followFile(self.file, (arrived) => {
          if (!arrived.includes(marker)) return
          clearTimeout(deadline)
          resolve(arrived)
        })
        sendOne(self, marker).catch(reject)
      })
      write(line)
    } else {
      write(
        `A certificate authority, a relay (127.0.0.1:${port}) and an agent (${HOST}) run on this machine, with mutual TLS between them.`,
      )
      write('')
      write(`  socket to write to   ${self.socket}`)
      write(`  try, elsewhere       logger -u ${self.socket} hello`)
      write(`  it lands in          ${self.file}`)
      write(`  all of it is in      ${directory}`)
      write('')
      write('Lines show here as they arrive. Ctrl-C stops both.')
      unfollow = followFile(self.file, write)
      await new Promise<void>((resolve, reject) => {
        interrupted.then(resolve, reject)
        for (const child of children)
          child.once('exit', (code, signal) =>
            reject(new LoghopError('DEMO', `A daemon ended with ${code ?? signal}`, `See agent.log and relay.log in ${directory}`)),
          )
      })
      write('')
    }
    for (const child of children) child.removeAllListeners('exit')
    await stop()
    unfollow?.()
    unfollow = undefined
    if (flags.once !== true) write(`Stopped. Everything was delivered${isKept ? '' : `; remove ${directory} when you are done`}.`)
    else if (!isKept) fs.rmSync(directory, { recursive: true, force: true })
  } finally {
    unfollow?.()
    for (const child of children) child.removeAllListeners('exit')
    await stop()
  }
}

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('CA, relay and agent on loopback, ready to take messages')
    .option('--directory <dir>', 'keep everything there (default: a fresh temporary directory)')
    .option('--once', 'send one line through the whole chain, print it as filed, and end')
    .action(demo)
}
