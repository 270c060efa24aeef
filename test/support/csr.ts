import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { generateKey, type KeyPair } from '../../pki/x509.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export interface MadeCsr {
  readonly key: KeyPair
  /** PKCS#10, DER. */
  readonly der: Buffer
}

/** A request signed with its key, a new one unless it is given. */
export async function makeCsr(name = 'web01.example.com', key?: KeyPair): Promise<MadeCsr> {
  const own = key ?? (await generateKey())
  const subject = new x509.Name([{ CN: [{ utf8String: name }] }])
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name: subject, keys: own.keys, signingAlgorithm: ALGORITHM })
  return { key: own, der: Buffer.from(request.rawData) }
}
