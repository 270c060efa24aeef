// The Debian package: built, looked at by Debian's own tools, and installed, used, upgraded, removed and purged in a Debian of its own.

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { temporaryDirectory } from '../support/chain.ts'
import { MIRROR, SUITE } from '../support/debian.ts'
import { eventually } from '../support/eventually.ts'
import { boundSocket } from '../support/notify-listener.ts'
import { disorder, everyNumber, missing, spooledNumbers, total } from '../support/numbered.ts'
import { commandWithSocket, type WithSocket } from '../support/passed-socket.ts'
import { startSenders } from '../support/senders.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BUILDER = path.join(ROOT, 'packaging/build.ts')
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch
const MINUTE_MS = 60_000

const KEPT = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-package-'))
process.once('exit', () => fs.rmSync(KEPT, { recursive: true, force: true }))

/** Builds that version of the package. @returns where it is */
function build(t: ExecutionContext, version: string): string {
  const out = temporaryDirectory(t)
  const env = { ...process.env, SOURCE_DATE_EPOCH: '1764000000' }
  const args = ['--no-warnings', BUILDER, '--quick', '--arch', ARCHITECTURE, '--version', version, '--out', out]
  t.log(execFileSync(process.execPath, args, { encoding: 'utf8', env }).trim())
  return path.join(out, `loghop_${version}_${ARCHITECTURE}.deb`)
}

function digest(file: string): string {
  return createHash('sha256').update(fs.readFileSync(file)).digest('hex')
}

/** The same for every test. */
function kept(t: ExecutionContext, version: string): string {
  const file = path.join(KEPT, `loghop_${version}_${ARCHITECTURE}.deb`)
  if (!fs.existsSync(file)) fs.copyFileSync(build(t, version), file)
  return file
}

test.serial('the same sources make the same package, and lintian finds no error in it', (t) => {
  t.timeout(15 * MINUTE_MS)
  const first = kept(t, '0.1.0')
  t.is(digest(build(t, '0.1.0')), digest(first))
  const { stdout } = spawnSync('lintian', ['--fail-on=none', first], { encoding: 'utf8' })
  t.log(stdout.trim() || 'lintian: nothing')
  t.deepEqual(
    stdout.split('\n').filter((line) => line.startsWith('E:')),
    [],
  )
})

test.serial('shellcheck finds nothing wrong with the scripts', (t) => {
  const ofDebian = ['postinst', 'prerm', 'postrm', 'loghop'].map((name) => path.join(ROOT, 'packaging/debian', name))
  const ofFreebsd = ['loghop_agent', 'loghop_relay', 'loghop_pki'].map((name) => path.join(ROOT, 'rc.d', name))
  const ofOpenrc = ['loghop-agent', 'loghop-relay', 'loghop-pki'].map((name) => path.join(ROOT, 'openrc', name))
  const { status, stdout } = spawnSync('shellcheck', ['--shell=sh', ...ofDebian, ...ofFreebsd, ...ofOpenrc], { encoding: 'utf8' })
  t.is(stdout, '')
  t.is(status, 0)
})

/** A Debian of its own, in which commands are run as root. */
class Debian {
  readonly root: string

  private constructor(root: string) {
    this.root = root
  }

  /** @returns undefined when none can be made here; why is in the log */
  static make(t: ExecutionContext): Debian | undefined {
    if (process.getuid?.() !== 0) {
      t.log('not run: a chroot wants root')
      return undefined
    }
    const root = path.join(temporaryDirectory(t), 'debian')
    const prepared = process.env['LOGHOP_CHROOT']
    const command =
      prepared === undefined
        ? ['debootstrap', '--variant=minbase', '--include=libatomic1', SUITE, root, MIRROR]
        : ['cp', '-a', prepared, root]
    const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8' })
    if (status === 0) {
      // The smallest of Debians has none.
      fs.writeFileSync(path.join(root, 'etc/hosts'), '127.0.0.1 localhost\n')
      const proc = path.join(root, 'proc')
      const mounted = spawnSync('mount', ['-t', 'proc', 'proc', proc], { encoding: 'utf8' })
      if (mounted.status !== 0) {
        t.log(`not run: mount: ${mounted.stderr.trim()}`)
        return undefined
      }
      // Before the directory is removed: teardowns run from the last to the first.
      t.teardown(() => execFileSync('umount', ['--lazy', proc]))
      return new Debian(root)
    }
    t.log(`not run: ${command.join(' ')}: ${`${stdout}${stderr}`.trim().split('\n').at(-1)}`)
    return undefined
  }

  run(...command: readonly string[]): { code: number | null; printed: string } {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
    const { status, stdout, stderr } = spawnSync('chroot', [this.root, ...command], { encoding: 'utf8', env })
    return { code: status, printed: `${stdout}${stderr}` }
  }

  install(t: ExecutionContext, file: string): void {
    fs.copyFileSync(file, path.join(this.root, 'loghop.deb'))
    const { code, printed } = this.run('dpkg', '-i', '/loghop.deb')
    t.is(code, 0, printed)
  }

  has(file: string): boolean {
    return fs.existsSync(path.join(this.root, file))
  }

  /** Owner and mode, as `loghop:loghop 700`. */
  owner(file: string): string {
    return this.run('stat', '-c', '%U:%G %a', file).printed.trim()
  }
}

/** The installed agent as its user, with a socket that outlives it. */
async function startAgent(t: ExecutionContext, debian: Debian, socket: number): Promise<WithSocket> {
  const asUser = ['chroot', '--userspec=loghop:loghop', debian.root]
  const program = ['/usr/lib/loghop/node', '--max-semi-space-size=1', '/usr/lib/loghop/app/cli/loghop.js', 'agent', 'run']
  const agent = commandWithSocket(t, socket, ...asUser, ...program)
  await eventually(
    'the agent',
    () => agent.said.includes(' started: '),
    () => agent.said,
  )
  return agent
}

test.serial('installs, runs, is upgraded under 5000 messages a second without losing one, is removed and purged', async (t) => {
  t.timeout(30 * MINUTE_MS)
  const debian = Debian.make(t)
  if (debian === undefined) {
    t.pass()
    return
  }
  debian.install(t, kept(t, '0.1.0'))
  t.is(debian.run('loghop', '--version').printed, '0.1.0\n')
  t.is(debian.owner('/var/lib/loghop'), 'loghop:loghop 700')
  t.is(debian.owner('/var/lib/loghop/identity'), 'loghop:loghop 700')
  t.is(debian.owner('/var/lib/loghop-ca'), 'loghop-pki:loghop-pki 700')
  t.is(debian.owner('/var/log/loghop'), 'loghop:adm 750')
  t.true(debian.has('usr/lib/systemd/system/loghop-agent.service') && debian.has('usr/share/man/man1/loghop.1.gz'))
  const demo = debian.run('loghop', 'demo', '--once')
  t.regex(demo.printed, /web01\.example\.com .*hello from the demo/)

  // As an admin sets it up, with a relay that is not there.
  const made = debian.run('loghop', 'identity', 'new', 'web01.example.com', '--role', 'agent', '--directory', '/var/lib/loghop/identity')
  t.is(made.code, 0, made.printed)
  debian.run('chown', '-R', 'loghop:loghop', '/var/lib/loghop/identity')
  const place = path.join(temporaryDirectory(t), 'log')
  const spool = '/var/lib/loghop/spool'
  const relays = [{ address: '127.0.0.1:1', pin: `sha256:${'0'.repeat(64)}` }]
  const options = { identity: '/var/lib/loghop/identity', spool: { directory: spool }, sources: [{ unix: place }], relays }
  fs.writeFileSync(path.join(debian.root, 'etc/loghop/agent.yaml'), JSON.stringify(options))
  const socket = boundSocket(t, place)
  const second = kept(t, '0.1.1')
  let agent = await startAgent(t, debian, socket)
  const directory = temporaryDirectory(t)
  const senders = startSenders(t, { directory, socket: place, place: (name) => path.join(directory, name) }, { senders: 2, rate: 2500 })
  const stored = path.join(debian.root, spool)
  const enough = (count: number): Promise<true> => eventually(`${count} messages`, () => total(spooledNumbers(stored)) >= count)
  await enough(10_000)
  debian.install(t, second)
  await enough(total(spooledNumbers(stored)) + 5000)
  // As the scripts of the package have systemd do it, which is not here.
  agent.signal('SIGTERM')
  t.deepEqual(await agent.ended, { code: 0, signal: null }, agent.said)
  agent = await startAgent(t, debian, socket)
  await enough(total(spooledNumbers(stored)) + 5000)
  senders.stop()
  const sent = await senders.done
  const counts = sent.map((one) => one.sent)
  t.true(
    sent.every(({ retried }) => retried === 0),
    'a sender found nobody at the socket',
  )
  await enough(total(everyNumber(counts)))
  agent.signal('SIGTERM')
  await agent.ended
  t.is(disorder(spooledNumbers(stored)), undefined, 'a message is doubled or out of order')
  t.is(missing(everyNumber(counts), spooledNumbers(stored)), undefined, 'a message was lost')
  t.log(`${total(everyNumber(counts))} messages came while it was upgraded`)

  fs.appendFileSync(path.join(debian.root, 'etc/default/loghop-pki'), '# ours\n')
  fs.mkdirSync(path.join(debian.root, 'var/log/loghop/web01.example.com'))
  t.is(debian.run('dpkg', '-r', 'loghop').code, 0)
  t.false(debian.has('usr/lib/loghop') || debian.has('usr/bin/loghop'))
  t.true(debian.has('etc/loghop/agent.yaml') && debian.has('etc/default/loghop-pki') && debian.has('var/lib/loghop/spool'))
  const purged = debian.run('dpkg', '-P', 'loghop')
  t.is(purged.code, 0)
  t.regex(purged.printed, /\/var\/log\/loghop is kept/)
  const left = debian.run('find', '/', '-xdev', '-path', '/proc', '-prune', '-o', '-name', '*loghop*', '-print').printed.trim().split('\n')
  t.deepEqual(left.sort(), ['/loghop.deb', '/var/log/loghop'])
})
