import { X509Certificate } from 'node:crypto'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

/** The labels of the PEM blocks in a text, in order. */
export function pemLabels(text: string): string[] {
  return Array.from(text.matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----\s*$/gm), (match) => match[1]!)
}

/** All certificates of a PEM text, in order; undefined when one of them cannot be decoded. */
export function certificatesIn(text: string): X509Certificate[] | undefined {
  const blocks = text.match(CERTIFICATE) ?? []
  if (blocks.length !== pemLabels(text).filter((label) => label === 'CERTIFICATE').length) return undefined
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}
