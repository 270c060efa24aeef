import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { LoghopError } from '../../../core/base/errors.ts'
import { loadIdentity } from '../../../core/identity/identity.ts'
import { finishReplacement, replacementSteps, replaceTogether } from '../../../core/identity/replace.ts'
import { takeLock } from '../../../core/platform/lock.ts'
import { makeIssuer, makeLeaf, makeRoot, temporaryDirectory } from '../pki/made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
const otherRoot = await makeRoot('Other Root')
const otherIssuer = await makeIssuer(otherRoot)
const before = await makeLeaf(issuer)
const after = await makeLeaf(otherIssuer)
// Everything is another: a mixture of both never loads.
const OLD = { 'key.pem': before.keyPem, 'cert.pem': before.pem + issuer.certificatePem, 'ca.pem': root.certificatePem }
const NEW = { 'key.pem': after.keyPem, 'cert.pem': after.pem + otherIssuer.certificatePem, 'ca.pem': otherRoot.certificatePem }

function put(directory: string, files: Readonly<Record<string, string>>): string {
  fs.mkdirSync(directory, { mode: 0o700 })
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), content, { mode: 0o600 })
  return directory
}

function generation(directory: string): string {
  const { key, cert, ca } = loadIdentity(directory)
  if (key === OLD['key.pem'] && cert === OLD['cert.pem'] && ca === OLD['ca.pem']) return 'old'
  return key === NEW['key.pem'] && cert === NEW['cert.pem'] && ca === NEW['ca.pem'] ? 'new' : 'mixed'
}

const STEPS = 10

test('a crash after any step of a replacement leaves the old identity whole, or the new one', async (t) => {
  const seen: string[] = []
  for (let crash = 0; ; crash++) {
    const directory = put(path.join(temporaryDirectory(t), 'identity'), OLD)
    const steps = replacementSteps(directory, NEW)
    let taken = 0
    let isDone = false
    for (; taken < crash && !isDone; taken++) isDone = steps.next().done === true
    // A reader that may not write: what stands in next/ counts at once.
    const lock = takeLock(path.join(directory, 'lock'))!
    const read = generation(directory)
    lock.release()
    seen.push(read)
    t.is(generation(directory), read, `after ${crash} steps a reader that finishes it sees another one`)
    t.false(fs.existsSync(path.join(directory, 'next')), 'it is finished')
    // The next replacement is not disturbed by what was left.
    await replaceTogether(directory, NEW)
    t.is(generation(directory), 'new')
    t.deepEqual(fs.readdirSync(directory).sort(), ['ca.pem', 'cert.pem', 'key.pem', 'lock'])
    t.is(fs.statSync(path.join(directory, 'key.pem')).mode & 0o777, 0o600)
    if (isDone) break
  }
  t.true(seen.length > STEPS - 2, `${seen.length} steps were tried`)
  t.deepEqual([...new Set(seen)], ['old', 'new'])
  t.false(seen.lastIndexOf('old') > seen.indexOf('new'), seen.join(' '))
})

test('a reader that looks between any two steps sees one generation', (t) => {
  const directory = put(path.join(temporaryDirectory(t), 'identity'), OLD)
  const lock = takeLock(path.join(directory, 'lock'))!
  const seen = [generation(directory)]
  for (const _ of replacementSteps(directory, NEW)) seen.push(generation(directory))
  lock.release()
  t.deepEqual([...new Set(seen)], ['old', 'new'])
})

test('a replacement that cannot be written says so, and the old identity counts', async (t) => {
  const directory = put(path.join(temporaryDirectory(t), 'identity'), OLD)
  fs.writeFileSync(path.join(directory, 'next'), 'no directory')
  const error = await t.throwsAsync(replaceTogether(directory, NEW), { instanceOf: LoghopError })
  t.is(error.code, 'IDENTITY_WRITE')
  t.true(error.remedy.length > 0)
  t.notThrows(() => finishReplacement(directory))
  t.is(generation(directory), 'old')
})

const NOBODY = 65534
// Only root can be tricked into giving away what is not its own.
const asRoot = process.getuid?.() === 0 ? test : test.skip

asRoot('root that replaces files for another user follows no link of that user', async (t) => {
  const parent = temporaryDirectory(t)
  fs.chmodSync(parent, 0o755)
  const directory = put(path.join(parent, 'identity'), OLD)
  const precious = path.join(parent, 'precious')
  fs.writeFileSync(precious, 'of root', { mode: 0o600 })
  for (const place of [directory, ...Object.keys(OLD).map((name) => path.join(directory, name))]) fs.chownSync(place, NOBODY, NOBODY)
  fs.symlinkSync(precious, path.join(directory, 'lock'))
  await t.throwsAsync(replaceTogether(directory, NEW), { instanceOf: LoghopError, message: /ELOOP/ })
  t.is(fs.statSync(precious).uid, 0)
  t.is(generation(directory), 'old')
  fs.unlinkSync(path.join(directory, 'lock'))
  // A replacement that pretends to be half done, in a folder that only root may change.
  const folder = path.join(parent, 'folder')
  fs.mkdirSync(folder)
  fs.writeFileSync(path.join(folder, 'kept'), 'of root')
  fs.symlinkSync(folder, path.join(directory, 'next'))
  t.is(generation(directory), 'old')
  t.true(fs.existsSync(path.join(folder, 'kept')), 'nothing was taken out of it')
  fs.unlinkSync(path.join(directory, 'next'))
  await replaceTogether(directory, NEW)
  t.is(generation(directory), 'new')
  for (const name of [...Object.keys(NEW), 'lock']) t.is(fs.statSync(path.join(directory, name)).uid, NOBODY, name)
})
