// The header with which a proxy tells for whom it has connected: the PROXY protocol of HAProxy, versions 1 (a line) and 2 (binary).
//
//   v1   PROXY SP TCP4|TCP6 SP source SP destination SP port SP port CR LF      at most 107 bytes
//        PROXY SP UNKNOWN ... CR LF
//   v2   0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A, version and command, family, length (2, big-endian), addresses, additions

import { isIPv4, isIPv6, SocketAddress } from 'node:net'

const V1_LIMIT_BYTES = 107
const V2_HEADER_BYTES = 16
/** Ours: addresses take 36 bytes, a proxy's additions (TLS facts, an id) some hundred. */
const V2_LIMIT_BYTES = 2048
const V1_START = Buffer.from('PROXY ', 'latin1')
const V2_START = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

export const PROXY_LIMIT_BYTES = V2_HEADER_BYTES + V2_LIMIT_BYTES

export type ProxyHeader =
  /** The header took `bytes` bytes. No source: the proxy speaks for itself (a health check), or does not know. */
  | { readonly kind: 'header'; readonly bytes: number; readonly source: { readonly address: string; readonly port: number } | undefined }
  | { readonly kind: 'need-more' }
  | { readonly kind: 'malformed'; readonly reason: string }

function malformed(reason: string): ProxyHeader {
  return { kind: 'malformed', reason }
}

function begins(bytes: Buffer, with_: Buffer): boolean {
  const length = Math.min(bytes.length, with_.length)
  return bytes.compare(with_, 0, length, 0, length) === 0
}

/** Reads the header that `bytes`, the first ones of a connection, must begin with; never asks for more than PROXY_LIMIT_BYTES. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return { kind: 'need-more' }
  if (begins(bytes, V1_START)) return readVersion1(bytes)
  if (begins(bytes, V2_START)) return readVersion2(bytes)
  return malformed('it does not begin with a PROXY header')
}

function readVersion1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_LIMIT_BYTES).indexOf('\r\n')
  if (end === -1) return bytes.length < V1_LIMIT_BYTES ? { kind: 'need-more' } : malformed(`its PROXY line is over ${V1_LIMIT_BYTES} bytes`)
  const [, family, address = '', , port = '', last, ...rest] = bytes.toString('latin1', 0, end).split(' ')
  if (family === 'UNKNOWN') return { kind: 'header', bytes: end + 2, source: undefined }
  const isAddress = family === 'TCP4' ? isIPv4(address) : family === 'TCP6' && isIPv6(address) && !address.includes('%')
  const isPort = /^(?:0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65_535
  if (!isAddress || !isPort || last === undefined || rest.length > 0) return malformed('its PROXY line is not of the form of version 1')
  return { kind: 'header', bytes: end + 2, source: { address: canonical(address), port: Number(port) } }
}

function readVersion2(bytes: Buffer): ProxyHeader {
  if (bytes.length < V2_HEADER_BYTES) return { kind: 'need-more' }
  const version = bytes[12]! >> 4
  const command = bytes[12]! & 0x0f
  const length = bytes.readUInt16BE(14)
  if (version !== 2) return malformed(`its PROXY header has version ${version}, known are 1 and 2`)
  if (command > 1) return malformed(`its PROXY header has command ${command}, known are 0 and 1`)
  if (length > V2_LIMIT_BYTES) return malformed(`its PROXY header has ${length} bytes, at most ${V2_LIMIT_BYTES}`)
  const end = V2_HEADER_BYTES + length
  if (bytes.length < end) return { kind: 'need-more' }
  const isIpv4 = bytes[13] === 0x11
  // LOCAL, or a family that is no TCP: the proxy's own connection.
  if (command === 0 || (!isIpv4 && bytes[13] !== 0x21)) return { kind: 'header', bytes: end, source: undefined }
  if (length < (isIpv4 ? 12 : 36)) return malformed('its PROXY header is too short for its addresses')
  const port = bytes.readUInt16BE(V2_HEADER_BYTES + (isIpv4 ? 8 : 32))
  return { kind: 'header', bytes: end, source: { address: addressAt(bytes, isIpv4), port } }
}

function addressAt(bytes: Buffer, isIpv4: boolean): string {
  if (isIpv4) return [...bytes.subarray(V2_HEADER_BYTES, V2_HEADER_BYTES + 4)].join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(V2_HEADER_BYTES + 2 * index).toString(16))
  return canonical(groups.join(':'))
}

/** One spelling of an address, or a client could have as many as it likes. */
function canonical(address: string): string {
  return isIPv4(address) ? address : new SocketAddress({ address, family: 'ipv6' }).address
}
