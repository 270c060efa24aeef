import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { loadIdentity } from '../../core/identity/identity.ts'
import { parseToken } from '../../core/identity/token.ts'
import { temporaryDirectory } from '../support/chain.ts'
import { ENTRY, loghop, loghopWith } from '../support/daemon.ts'

test('a host is invited, listed, revoked and reset by commands', async (t) => {
  const parent = temporaryDirectory(t)
  const where = ['--directory', path.join(parent, 'ca')]
  const pki = (...words: string[]) => loghop('pki', ...words, ...where)
  const made = await pki('init', '--name', 'Example Logs')
  t.is(made.code, 0, made.stderr)
  t.regex(made.stdout, /root-1\.key\.pem, is NOT encrypted/)
  t.like(await pki('invite', 'web01.example.com', '--role', 'agent'), { code: 64 })

  const invited = await pki(
    'invite',
    'web01.example.com',
    '--role',
    'agent',
    '--server',
    'ca.example.com:8443',
    '--ttl',
    '10min',
    '--life',
    '12h',
  )
  const token = parseToken(invited.stdout.trimEnd().split('\n').at(-1)!)
  t.like(token, { kind: 'ok', token: { server: 'ca.example.com:8443', name: 'web01.example.com', role: 'agent' } })
  const out = path.join(parent, 'identity')
  t.is((await pki('issue', 'relay.example.com', '--role', 'relay', '--life', '20s', '--out', out)).code, 0)
  const { facts } = loadIdentity(out)
  t.is(facts.validTo.getTime() - facts.validFrom.getTime(), 21_000)

  const listed = JSON.parse((await pki('list', '--json')).stdout) as { hosts: Record<string, string>[]; problems: unknown[] }
  t.deepEqual(
    listed.hosts.map(({ name, role }) => `${name} ${role}`),
    ['relay.example.com relay', 'web01.example.com agent'],
  )
  t.deepEqual(listed.problems, [])
  t.regex((await pki('list')).stdout, /^NAME +ROLE +SERIAL +ISSUED +EXPIRES +LAST SEEN +STATE\nrelay/)
  t.like(await pki('revoke', 'relay.example.com', '--reason', 'boredom'), { code: 64 })
  t.is((await pki('revoke', facts.serial, '--reason', 'keyCompromise')).code, 0)
  const again = await pki('invite', 'relay.example.com', '--role', 'relay', '--server', 'ca.example.com:8443')
  t.is(again.code, 1)
  t.regex(
    again.stderr,
    /it was revoked on .* \(keyCompromise\)\n {2}If it may come back: loghop pki reset --directory \S+ relay\.example\.com/,
  )
  t.is((await pki('reset', 'relay.example.com')).code, 0)
  t.regex(
    (await pki('show', 'relay.example.com')).stdout,
    /relay\.example\.com: reset\n[\s\S]*history\n[\s\S]*issued [\s\S]*revoked \(keyCompromise\)[\s\S]*reset/,
  )
  const list = path.join(parent, 'crl.pem')
  t.regex((await pki('crl', '--out', list)).stdout, /issuer-1\.crl: 1 revoked/)
  t.regex(fs.readFileSync(list, 'utf8'), /^-----BEGIN X509 CRL-----\n/)
})

test('rotations by commands take the passphrase from a file or the environment, and no other', async (t) => {
  const parent = temporaryDirectory(t)
  const file = path.join(parent, 'passphrase')
  fs.writeFileSync(file, 'correct horse\nsecond line\n', { mode: 0o644 })
  const where = ['--directory', path.join(parent, 'ca')]
  const pki = (...words: string[]) => loghop('pki', ...words, ...where)
  const init = ['init', '--name', 'Example Logs', '--passphrase-file', file]
  const open = await pki(...init)
  t.is(open.code, 64)
  t.regex(open.stderr, /others than its owner may read the passphrase/)
  fs.chmodSync(file, 0o600)
  t.regex((await pki(...init)).stdout, /is encrypted/)
  t.regex((await pki('rotate', '--issuer')).stderr, /its passphrase is needed\n {2}Give --passphrase-file/)
  t.regex((await pki('rotate', '--issuer', '--passphrase-prompt')).stderr, /standard input is no terminal/)
  t.regex((await pki('rotate', '--intermediate', '--passphrase-file', file)).stdout, /Made issuer 2/)
  const root = await loghopWith({ LOGHOP_ROOT_PASSPHRASE: 'correct horse' }, 'pki', 'rotate', '--root', ...where)
  t.regex(root.stdout, /Made root 2, .* and issuer 3/)
  t.regex((await pki('rotate', '--status')).stdout, /Root 1 awaits its end; root 2 and issuer 3 sign\. 0 of 0 live hosts/)
  t.regex((await pki('rotate', '--retire')).stdout, /Retired root 1/)
  for (const wrong of [[], ['--root', '--issuer'], ['--status', '--force']]) t.is((await pki('rotate', ...wrong)).code, 64)
})

test('what the commands of an authority advise can be run as it stands', async (t) => {
  const directory = path.join(temporaryDirectory(t), 'ca of "mine"')
  const pki = (...words: string[]) => loghop('pki', ...words, '--directory', directory)
  await pki('init', '--name', 'Example Logs')
  await pki('issue', 'web01.example.com', '--role', 'agent', '--out', `${directory}.identity`)
  await pki('revoke', 'web01.example.com')
  const refused = await pki('invite', 'web01.example.com', '--role', 'agent', '--server', 'ca.example.com:8443')
  const advised = /: loghop (pki reset .*)$/m.exec(refused.stderr)?.[1]
  t.is(advised, `pki reset --directory '${directory}' web01.example.com`)
  const reset = await loghop('pki', 'reset', '--directory', directory, 'web01.example.com')
  t.is(reset.stdout.split('\n')[1], `Next: loghop pki invite --directory '${directory}' web01.example.com --role agent`)
  const pattern = await pki('invite', '*.example.com', '--role', 'agent', '--server', 'ca.example.com:8443')
  t.regex(pattern.stderr, /a pattern is for several hosts\n {2}Give the number of hosts, such as --uses 50/)
})

test('an authority is made in the directory that a package has made for its user, whose parent belongs to root', (t) => {
  const directory = path.join(temporaryDirectory(t), 'ca')
  // Root may write everywhere: the program is run as somebody else.
  const user = process.getuid!() === 0 ? { uid: 65534, gid: 65534 } : {}
  fs.mkdirSync(directory)
  if (user.uid !== undefined) fs.chownSync(directory, user.uid, user.gid)
  fs.chmodSync(path.dirname(directory), 0o555)
  t.teardown(() => fs.chmodSync(path.dirname(directory), 0o755))
  const init = () =>
    spawnSync(process.execPath, [ENTRY, 'pki', 'init', '--directory', directory, '--name', 'Example Logs'], { encoding: 'utf8', ...user })
  const made = init()
  t.is(made.status, 0, made.stderr)
  t.is(fs.statSync(directory).mode & 0o777, 0o700)
  t.true(fs.existsSync(path.join(directory, 'journal')) && fs.existsSync(path.join(directory, 'root-1.key.pem')))
  const again = init()
  t.is(again.status, 1)
  t.regex(again.stderr, /something stands there already, and nothing is ever overwritten/)
})
