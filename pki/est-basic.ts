/** Name and secret of an `Authorization` header of the scheme Basic (RFC 7617). The secret is never logged. */
export interface Credentials {
  readonly name: string
  readonly secret: string
}

// A name has at most 253 characters, a secret 27; the headers are limited as a whole besides.
const CREDENTIALS_CHARACTERS = 1024

/** @returns undefined when the header is missing, is of another scheme, or does not hold `name:secret` with both there */
export function readBasic(header: string | undefined): Credentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header ?? '')?.[1]
  if (encoded === undefined || encoded.length > CREDENTIALS_CHARACTERS) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  // The first colon ends the name: a secret may hold one.
  const colon = text.indexOf(':')
  if (colon < 1 || colon === text.length - 1) return undefined
  return { name: text.slice(0, colon), secret: text.slice(colon + 1) }
}
