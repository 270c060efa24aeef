import test from 'ava'
import { FIRST_BYTES_LIMIT, readFirstBytes } from '../../../core/transport/first-bytes.ts'

function told(text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  const first = readFirstBytes(bytes, 0, bytes.length)
  return first.kind === 'foreign' ? first.looksLike : first.kind
}

for (const [text, expected] of [
  ['1 open 92 relp_version=0\n', 'relp'],
  ['999999999 open 9', 'relp'],
  ['1 close 24 refused=', 'relp'],
  ['2 syslog 3 abc\n', 'relp'],
  ['2 batch 3', 'relp'],
  ['5 <1>ab', 'octet-counted'],
  ['1024 <13>1 - - - - - -', 'octet-counted'],
  ['9 open door', 'octet-counted'],
  ['9 opening', 'octet-counted'],
  ['12x', 'octet-counted'],
  ['4294967296123 x', 'octet-counted'],
  ['<13>Nov 24 03:12:07 web01 app: x', 'lines'],
  ['no PRI at all\n', 'lines'],
  ['\xef\xbb\xbf<13>', 'lines'],
  ['\n<13>', 'lines'],
  ['GETTY on tty1\n', 'lines'],
  ['GET / HTTP/1.1\r\n', 'an HTTP request'],
  ['OPTIONS * RTSP', 'an HTTP request'],
  ['CONNECT host:443 HTTP/1.1', 'an HTTP request'],
  ['PRI * HTTP/2.0', 'an HTTP request'],
  ['\x16\x03\x01\x02\x00\x01', 'a TLS handshake'],
  ['PROXY TCP4 192.0.2.1', 'a PROXY header'],
  ['\r\n\r\n\0\r\nQUIT\n\x21', 'a PROXY header'],
  ['SSH-2.0-OpenSSH_9.2', 'an SSH client'],
  ['EHLO mail', 'a mail server (SMTP)'],
  ['\x03\0\0\x13', 'a remote desktop client (RDP)'],
  ['2W\0\0\0\x01', 'Lumberjack (Beats)'],
  ['\0\0\0\x85\xffSMB', 'binary data'],
  ['\xff\xfd\x18', 'binary data'],
] as const) {
  test(`what begins with ${JSON.stringify(text)} is told as "${expected}", and never as anything else before`, (t) => {
    t.is(told(text), expected)
    t.is(told(text.slice(0, FIRST_BYTES_LIMIT)), expected)
    t.is(told(`${text}and more`), expected)
    for (let cut = 1; cut < text.length; cut++) t.true(['need-more', expected].includes(told(text.slice(0, cut))), `cut at ${cut}`)
  })
}

test('nothing is told from nothing, and FIRST_BYTES_LIMIT bytes always suffice', (t) => {
  t.is(told(''), 'need-more')
  for (const begin of ['1', '123456789 syslog ', 'OPTIONS ', '\r\n\r\n\0\r\nQUI', 'PROXY '])
    for (let byte = 0; byte < 256; byte++) {
      const text = begin + String.fromCharCode(byte).repeat(FIRST_BYTES_LIMIT)
      t.not(told(text.slice(0, FIRST_BYTES_LIMIT)), 'need-more', JSON.stringify(text))
    }
})
