import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { Authorities } from '../../../core/identity/authorities.ts'
import { readCertsOnly } from '../../../core/identity/certs-only.ts'
import { DerError } from '../../../core/identity/der.ts'
import { listPem, Revocation, readListsPem, SKEW_MS } from '../../../core/identity/revocation.ts'
import { readRevocationList } from '../../../core/identity/revocation-list.ts'
import { certsOnly } from '../../../pki/pkcs7.ts'
import { makeList } from '../../support/lists.ts'
import { DAY_MS, makeIssuer, makeLeaf, makeRoot, NOW } from '../pki/made.ts'

const root = await makeRoot()
const issuer = await makeIssuer(root)
const namesake = await makeIssuer(await makeRoot('Other Root'))
const certificateOf = (signer: { certificatePem: string }) => new X509Certificate(signer.certificatePem)
const authorities = new Authorities([certificateOf(root), certificateOf(issuer)])
const leaf = (await makeLeaf(issuer)).certificate
const other = (await makeLeaf(issuer)).certificate

test('a list is believed when an authority that we know has signed it, and names what it names', async (t) => {
  const list = makeList(issuer, [leaf.serialNumber], 5)
  const revocation = Revocation.from(listPem(list), authorities)
  t.deepEqual([revocation.count, revocation.revokedCount, revocation.unknownCount], [1, 1, 0])
  t.is(Math.floor((revocation.check(leaf)?.getTime() ?? 0) / 1000), Math.floor((NOW - DAY_MS) / 1000))
  t.is(revocation.check(other), undefined)
  t.is(Revocation.from(revocation.pem, authorities).check(leaf)?.getTime(), revocation.check(leaf)?.getTime())
})

test('a list of a stranger with the same name, or one that was changed, is not believed', async (t) => {
  const forged = Revocation.from(listPem(makeList(namesake, [leaf.serialNumber], 9)), authorities)
  t.deepEqual([forged.count, forged.unknownCount, forged.check(leaf)], [0, 1, undefined])
  const list = makeList(issuer, [leaf.serialNumber], 5)
  const changed = Buffer.from(list)
  changed[changed.indexOf(Buffer.from(leaf.serialNumber, 'hex')) + 3]! ^= 1
  t.is(Revocation.from(listPem(changed), authorities).count, 0)
  // An intermediate counts only when it leads to a root.
  t.is(Revocation.from(listPem(list), new Authorities([certificateOf(issuer)])).count, 0)
})

test('the serial of another authority is another certificate', async (t) => {
  const lists = Revocation.from(listPem(makeList(root, [leaf.serialNumber], 5)), authorities)
  t.is(lists.revokedCount, 1)
  t.is(lists.check(leaf), undefined)
})

test('a revoked issuer revokes what it has signed, where the chain is known', async (t) => {
  const list = makeList(root, [certificateOf(issuer).serialNumber], 5)
  const revocation = Revocation.from(listPem(list), authorities)
  t.truthy(revocation.check(certificateOf(issuer)))
})

test('the highest number wins, in whatever order, and an older one brings nobody back', async (t) => {
  const older = makeList(issuer, [], 5)
  const newer = makeList(issuer, [leaf.serialNumber], 6)
  const start = Revocation.from(listPem(newer), authorities)
  t.truthy(start.with(readListsPem(listPem(older)), authorities).check(leaf))
  t.truthy(Revocation.from(listPem(newer) + listPem(older), authorities).check(leaf))
  t.truthy(
    Revocation.from(listPem(older), authorities)
      .with(readListsPem(listPem(newer)), authorities)
      .check(leaf),
  )
  t.false(start.isCoveredBy(Revocation.from(listPem(older), authorities)))
  t.true(start.isCoveredBy(start))
})

test('a late list stays in use and is told of, five minutes of skew are not', async (t) => {
  const revocation = Revocation.from(listPem(makeList(issuer, [leaf.serialNumber], 5)), authorities)
  const nextMs = Math.floor((NOW + DAY_MS) / 1000) * 1000
  t.deepEqual(revocation.late(nextMs + SKEW_MS), [])
  t.is(revocation.late(nextMs + SKEW_MS + 1).length, 1)
  t.is(revocation.late(NOW - 3 * DAY_MS)[0]!.sentence.includes('in the future'), true)
  t.truthy(revocation.check(leaf))
})

test('a list or a bundle that is cut or lengthened at any byte is refused, and nothing else is thrown', async (t) => {
  const list = makeList(issuer, [leaf.serialNumber], 5)
  const bundle = certsOnly([certificateOf(issuer).raw, leaf.raw])
  t.deepEqual(
    readCertsOnly(bundle).map(({ serialNumber }) => serialNumber),
    [certificateOf(issuer).serialNumber, leaf.serialNumber],
  )
  for (const [whole, read] of [
    [list, readRevocationList],
    [bundle, readCertsOnly],
  ] as [Buffer, (bytes: Buffer) => unknown][]) {
    for (let length = 0; length < whole.length; length++)
      t.throws(() => read(Buffer.from(whole.subarray(0, length))), { instanceOf: DerError })
    t.throws(() => read(Buffer.concat([whole, Buffer.alloc(1)])), { instanceOf: DerError })
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0xff
      try {
        read(damaged)
      } catch (error) {
        if (!(error instanceof DerError)) t.fail(`byte ${at}: ${String(error)}`)
      }
    }
  }
})

test('readListsPem() refuses what is no list, and a block that does not end', async (t) => {
  const pem = listPem(makeList(issuer, [], 5))
  t.is(readListsPem(pem + pem).length, 2)
  for (const text of ['', 'x', pem.slice(0, -30), pem.replaceAll('X509 CRL', 'CRL'), pem + pem.slice(0, 60)]) {
    t.throws(() => readListsPem(text), { message: /Cannot read/ })
  }
})
