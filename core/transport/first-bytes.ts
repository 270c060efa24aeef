// What a connection speaks, told from its first bytes. The client speaks first in every protocol that is let in.
//
//   first bytes                                   is
//   digits SP, then a word of RELP SP digit       RELP
//   digits SP, then anything else                 octet counting (RFC 6587 section 3.4.1: "starts with a digit")
//   the beginning of another protocol             refused, with the name of that protocol
//   a byte that begins no text                    refused: binary
//   anything else, `<` above all                  lines (RFC 6587 section 3.4.2)

/** So many bytes always suffice to tell. */
export const FIRST_BYTES_LIMIT = 24

export type FirstBytes =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'relp' | 'octet-counted' | 'lines' }
  /** `looksLike` completes "it looks like"; the remedy is a sentence. */
  | { readonly kind: 'foreign'; readonly looksLike: string; readonly remedy: string }

const NEED_MORE = { kind: 'need-more' } as const
const LINES = { kind: 'lines' } as const
const DIGITS_LIMIT = 10
const SPACE = 0x20
const RELP_WORDS = ['open ', 'close ', 'syslog ', 'batch ', 'starttls ']

const HTTP = { looksLike: 'an HTTP request', remedy: 'Point the browser, probe or proxy elsewhere: this port takes syslog and RELP alone' }
const PROXY = {
  looksLike: 'a PROXY header',
  remedy: 'List the address of the proxy under proxy of this listener, or turn the header off there',
}
const SMTP = { looksLike: 'a mail server (SMTP)', remedy: 'Point it at a mail server: this port takes syslog and RELP alone' }
const BEATS = { looksLike: 'Lumberjack (Beats)', remedy: 'Let it write to its local syslog instead, or use its syslog output' }
const FLUENT = { looksLike: 'the forward protocol of Fluentd', remedy: 'Use its syslog output with TLS instead' }
const COMPRESSED = { looksLike: 'compressed data', remedy: 'Turn compression of the stream off at the sender' }
const BINARY = {
  looksLike: 'binary data',
  remedy: 'Let the sender speak RELP or syslog (RFC 5425, RFC 6587); this port takes nothing else',
}

const FOREIGN: ReadonlyArray<readonly [begins: string, what: { readonly looksLike: string; readonly remedy: string }]> = [
  ['\x16\x03', { looksLike: 'a TLS handshake', remedy: 'Let the sender connect to a tls listener, or turn TLS off in it for this one' }],
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'].map((method) => [`${method} /`, HTTP] as const),
  ['OPTIONS *', HTTP],
  ['GET http', HTTP],
  ['CONNECT ', HTTP],
  ['PRI * HTTP/2', HTTP],
  ['PROXY TCP', PROXY],
  ['PROXY UNKNOWN', PROXY],
  ['\r\n\r\n\0\r\nQUIT\n', PROXY],
  ['SSH-', { looksLike: 'an SSH client', remedy: 'Point it at the port of sshd; a tunnel through ssh ends here as plain syslog' }],
  ['EHLO ', SMTP],
  ['HELO ', SMTP],
  ['AMQP\0', { looksLike: 'AMQP', remedy: 'Point it at its broker: this port takes syslog and RELP alone' }],
  ['RFB 0', { looksLike: 'a VNC client', remedy: 'Point it elsewhere: this port takes syslog and RELP alone' }],
  ['\x03\0\0', { looksLike: 'a remote desktop client (RDP)', remedy: 'Point it elsewhere: this port takes syslog and RELP alone' }],
  ['\x04\x01', { looksLike: 'a SOCKS client', remedy: 'Name the proxy, not this port, in its proxy settings' }],
  ['\x05\x01', { looksLike: 'a SOCKS client', remedy: 'Name the proxy, not this port, in its proxy settings' }],
  ['1W', BEATS],
  ['2W', BEATS],
  ['2C', BEATS],
  ['\x92', FLUENT],
  ['\x93', FLUENT],
  ['\x94', FLUENT],
  ['\x1f\x8b', COMPRESSED],
  ['(\xb5/\xfd', COMPRESSED],
]

/** Tells what `bytes[from..to]`, the first ones of a connection, begin. Needs at most FIRST_BYTES_LIMIT of them; copies nothing that is large. */
export function readFirstBytes(bytes: Buffer, from: number, to: number): FirstBytes {
  if (to <= from) return NEED_MORE
  const text = bytes.toString('latin1', from, Math.min(to, from + FIRST_BYTES_LIMIT))
  let isOpen = false
  for (const [begins, what] of FOREIGN) {
    if (text.startsWith(begins)) return { kind: 'foreign', ...what }
    isOpen ||= begins.startsWith(text)
  }
  if (isOpen) return NEED_MORE
  const first = bytes[from]!
  if (first >= 0x30 && first <= 0x39) return readCounted(text)
  // White space, printable ASCII, and what begins a sequence of UTF-8, a byte order mark among them.
  if (first === 0x09 || first === 0x0a || first === 0x0d || (first >= 0x20 && first < 0x7f) || (first >= 0xc2 && first < 0xf5)) return LINES
  return { kind: 'foreign', ...BINARY }
}

function readCounted(text: string): FirstBytes {
  const digits = /^\d*/.exec(text)![0].length
  // Whatever is wrong with the number, the reader of counted frames says it.
  if (digits > DIGITS_LIMIT) return { kind: 'octet-counted' }
  if (digits === text.length) return NEED_MORE
  if (text.charCodeAt(digits) !== SPACE) return { kind: 'octet-counted' }
  const rest = text.slice(digits + 1)
  for (const word of RELP_WORDS) {
    if (word.startsWith(rest)) return NEED_MORE
    if (!rest.startsWith(word)) continue
    if (rest.length === word.length) return NEED_MORE
    return /\d/.test(rest[word.length]!) ? { kind: 'relp' } : { kind: 'octet-counted' }
  }
  return { kind: 'octet-counted' }
}
