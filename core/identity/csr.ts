// Signing requests of this host. Loaded when one is needed: a daemon does this once in weeks.

import 'reflect-metadata'
import type { KeyObject } from 'node:crypto'
import * as x509 from '@peculiar/x509'

/**
 * A PKCS#10 request, DER, for one host name; its signature proves that we have the key.
 * @param key EC P-256. @param name host name; what else stands in the certificate is for the authority to say
 */
export async function makeRequest(key: KeyObject, name: string): Promise<Buffer> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const pkcs8 = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }))
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign'])
  const { d: _private, key_ops: _ops, ...publicPart } = await crypto.subtle.exportKey('jwk', privateKey)
  const publicKey = await crypto.subtle.importKey('jwk', publicPart, algorithm, true, ['verify'])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    // X.520: a common name has at most 64 characters; the name that counts is the alternative one.
    ...(name.length <= 64 ? { name: `CN=${name}` } : {}),
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }], name.length > 64)],
  })
  return Buffer.from(request.rawData)
}
