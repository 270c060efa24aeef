// npm run test:boot: a real boot of Debian, systemd as process 1, in a user-mode-linux guest, with the package installed; what guest.ts does there is printed
// as a table. It takes root and about ten minutes, so it is a script of its own and no part of the suites. --verbose shows the guest's console;
// --packages DIR keeps the two packages there, and takes them from there the next time.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeImage } from './image.ts'
import { type BootEnd, parseResult, type StepResult } from './result.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const LIMIT_MS = 30 * 60_000
/** Debian packages by the program that each brings. */
const NEEDED = {
  'linux.uml': 'user-mode-linux',
  mmdebstrap: 'mmdebstrap',
  mke2fs: 'e2fsprogs',
  'dpkg-deb': 'dpkg',
  cc: 'gcc, libc6-dev',
} as const
const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch

const lacking = Object.entries(NEEDED)
  .filter(([program]) => !PATH.split(':').some((directory) => fs.existsSync(path.join(directory, program))))
  .map(([program, name]) => `${program} (Debian package ${name})`)
if (process.getuid?.() !== 0) lacking.push('root')
if (lacking.length > 0) {
  process.stderr.write(`not run: a boot needs ${lacking.join(', ')}\n`)
  process.exit(1)
}

const { values } = parseArgs({ options: { verbose: { type: 'boolean', default: false }, packages: { type: 'string' } } })
const isVerbose = values.verbose
const cache = path.join(ROOT, 'dist/cache')
fs.mkdirSync(cache, { recursive: true })
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-boot-'))
process.once('exit', () => fs.rmSync(directory, { recursive: true, force: true }))

function build(version: string): string {
  const out = values.packages ?? directory
  const file = path.join(out, `loghop_${version}_${ARCHITECTURE}.deb`)
  if (fs.existsSync(file)) return file
  const args = [
    '--no-warnings',
    path.join(ROOT, 'packaging/build.ts'),
    '--quick',
    '--arch',
    ARCHITECTURE,
    '--version',
    version,
    '--out',
    out,
  ]
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  return file
}

function told(step: StepResult): void {
  process.stdout.write(
    `${step.isGood ? 'good' : 'BAD '}  ${step.seconds.toFixed(1).padStart(5)} s  ${step.what}\n               ${step.result}\n`,
  )
}

const beginMs = performance.now()
const disk = makeImage({ cache, directory, older: build('0.1.0'), newer: build('0.1.1') })
process.stdout.write(`image made in ${((performance.now() - beginMs) / 1000).toFixed(0)} s\n`)

const kernel = [`ubd0=${disk}`, 'root=/dev/ubda', 'rw', 'mem=1536M', 'con0=null,fd:1', 'con=null', 'cgroup_no_v1=all', 'selinux=0', 'quiet']
// Its memory is a file, which should not be on a disk.
const env = { ...process.env, TMPDIR: fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir() }

/** From the boot until it has powered itself off. @returns what the trial said at its end, if it came to it */
async function boot(): Promise<BootEnd | undefined> {
  let end: BootEnd | undefined
  let rest = ''
  // A group of its own, since the guest is many processes.
  const guest = spawn('linux.uml', kernel, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const limit = setTimeout(() => process.kill(-guest.pid!, 'SIGKILL'), LIMIT_MS)
  guest.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      const result = parseResult(line)
      if (result === undefined) {
        if (isVerbose) process.stdout.write(`${line}\n`)
      } else if ('failures' in result) end = result
      else told(result)
    }
  })
  guest.stderr.on('data', (bytes: Buffer) => void (isVerbose && process.stderr.write(bytes)))
  await new Promise((resolve) => guest.once('close', resolve))
  clearTimeout(limit)
  return end
}

const bootMs = performance.now()
let failures = 0
for (let isLast = false; !isLast; ) {
  const end = await boot()
  if (end === undefined) process.stdout.write('BAD: the guest ended before its trial did\n')
  failures += end?.failures ?? 1
  isLast = end?.isLast ?? true
}
process.stdout.write(`booted, tried and powered off in ${((performance.now() - bootMs) / 1000).toFixed(0)} s\n`)
process.exitCode = failures === 0 ? 0 : 1
