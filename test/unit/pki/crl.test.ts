import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { isSignedBy, readRevocationList as readList } from '../../../core/identity/revocation-list.ts'
import { REVOCATION_REASONS } from '../../../pki/acts.ts'
import { readRevocationList, signRevocationList } from '../../../pki/crl.ts'
import { lintRevocationList } from '../../support/rfc5280-list.ts'
import { DAY_MS, makeIssuer, makeRoot, NOW } from './made.ts'

const issuer = await makeIssuer(await makeRoot())
const certificate = new X509Certificate(issuer.certificatePem)
// Lists tell whole seconds.
const SECOND = Math.floor(NOW / 1000) * 1000
const dates = { thisUpdate: new Date(SECOND - DAY_MS), nextUpdate: new Date(SECOND + 7 * DAY_MS) }

test('each reason, serials of any length, times on both sides of 2050 and thousands of entries make a list of one encoding that its reader takes', (t) => {
  const named = REVOCATION_REASONS.map((reason, index) => ({ serial: `0${index + 1}`, at: new Date(NOW), reason }))
  const odd = [
    { serial: '00FF', at: new Date(Date.UTC(2049, 11, 31, 23, 59, 59, 999)), reason: 'superseded' as const },
    { serial: '7F', at: new Date(Date.UTC(2050, 0, 1)), reason: 'superseded' as const },
    { serial: 'ABC', at: new Date(NOW), reason: 'superseded' as const },
  ]
  const many = Array.from({ length: 5000 }, (_, index) => ({
    serial: (0x40_0000_0000n + BigInt(index)).toString(16).toUpperCase(),
    at: new Date(NOW),
    reason: 'keyCompromise' as const,
  }))
  const entries = [...named, ...odd, ...many]
  const der = signRevocationList({ number: 2 ** 40 + 1, ...dates, entries }, issuer)
  t.deepEqual(lintRevocationList(der, certificate.raw), [])
  const read = readRevocationList(der)
  t.is(read.number, 2 ** 40 + 1)
  t.deepEqual([read.thisUpdate, read.nextUpdate], [dates.thisUpdate, dates.nextUpdate])
  t.is(read.serials.size, entries.length)
  for (const serial of ['01', '06', 'FF', '7F', '0ABC', many.at(-1)!.serial]) t.true(read.serials.has(serial), serial)
  const { serials } = readList(der)
  t.is(serials.get('FF'), Date.UTC(2049, 11, 31, 23, 59, 59))
  t.is(serials.get('7F'), Date.UTC(2050, 0, 1))
  t.true(isSignedBy(readList(der), certificate))
})

test('a list without entries has no empty list of them', (t) => {
  const der = signRevocationList({ number: 1, ...dates, entries: [] }, issuer)
  t.deepEqual(lintRevocationList(der, certificate.raw), [])
  t.is(readRevocationList(der).serials.size, 0)
})
