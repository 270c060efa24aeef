// Writes and reads revocation lists, version 2.

import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import type { RevocationReason } from './acts.ts'
import { ALGORITHM, type Signer, signingKey } from './x509.ts'

export interface RevocationEntry {
  readonly serial: string
  readonly at: Date
  readonly reason: RevocationReason
}

export interface RevocationList {
  /** CRL number: seconds since 1970 fit for a while. */
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
}

const CRL_NUMBER = '2.5.29.20'

/** INTEGER, DER. */
function integer(value: number): Buffer {
  const hex = value.toString(16)
  const digits = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  const octets = digits[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits
  return Buffer.concat([Buffer.from([0x02, octets.length]), octets])
}

/** @returns DER */
export async function signRevocationList(
  list: RevocationList & { readonly entries: readonly RevocationEntry[] },
  signer: Signer,
): Promise<Buffer> {
  const issuer = new x509.X509Certificate(signer.certificatePem)
  const crl = await x509.X509CrlGenerator.create({
    issuer: issuer.subjectName,
    thisUpdate: list.thisUpdate,
    nextUpdate: list.nextUpdate,
    entries: list.entries.map(({ serial, at, reason }) => ({
      serialNumber: serial.toLowerCase(),
      revocationDate: at,
      // RFC 5280 section 5.3.1: unspecified is said by saying nothing.
      ...(reason === 'unspecified' ? {} : { reason: x509.X509CrlReason[reason] }),
    })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      new x509.Extension(CRL_NUMBER, false, integer(list.number)),
    ],
    signingAlgorithm: ALGORITHM,
    signingKey: await signingKey(signer.keyPem),
  })
  return Buffer.from(crl.rawData)
}

/** Reads a list of ours. @throws when it cannot be decoded */
export function readRevocationList(der: Buffer): RevocationList & { readonly serials: ReadonlySet<string> } {
  const crl = new x509.X509Crl(der)
  const raw = crl.getExtension(CRL_NUMBER)
  const value = raw === null ? Buffer.from([2, 1, 0]) : Buffer.from(raw.value)
  return {
    number: Number.parseInt(value.subarray(2).toString('hex'), 16),
    thisUpdate: crl.thisUpdate,
    nextUpdate: crl.nextUpdate ?? crl.thisUpdate,
    serials: new Set(crl.entries.map(({ serialNumber }) => serialNumber.toUpperCase())),
  }
}
