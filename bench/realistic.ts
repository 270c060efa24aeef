// Lines as servers really write them: sshd, nginx, postfix, the kernel, cron, sudo. Names, addresses, numbers and ids are as random as they are there, drawn by a seed,
// so that a compressor finds what it would find in life, and every system gets the same.

import { createHash } from 'node:crypto'
import { Random } from '../test/support/random.ts'

const USERS = ['root', 'deploy', 'anna', 'backup', 'www-data', 'jenkins', 'ubuntu', 'postgres'] as const
const PAGES = [
  '/',
  '/index.html',
  '/api/v1/orders',
  '/api/v1/users/',
  '/static/app.js',
  '/static/main.css',
  '/favicon.ico',
  '/login',
  '/search?q=',
] as const
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
  'curl/7.88.1',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
] as const

function pick<T>(random: Random, of: readonly T[]): T {
  return of[random.int(0, of.length - 1)]!
}

function address(random: Random): string {
  return `${random.int(1, 223)}.${random.int(0, 255)}.${random.int(0, 255)}.${random.int(1, 254)}`
}

function id(random: Random, length: number): string {
  return createHash('sha1')
    .update(String(random.int(0, 2 ** 30)))
    .digest('hex')
    .slice(0, length)
    .toUpperCase()
}

type Kind = (random: Random) => string

const KINDS: ReadonlyArray<readonly [weight: number, Kind]> = [
  [
    40,
    (r) =>
      `<190>nginx: ${address(r)} - - "${pick(r, ['GET', 'GET', 'GET', 'POST', 'HEAD'])} ${pick(r, PAGES)}${r.int(0, 99_999)} HTTP/1.1" ${pick(r, [200, 200, 200, 304, 404, 500])} ${r.int(0, 90_000)} "-" "${pick(r, AGENTS)}" ${(r.int(0, 4000) / 1000).toFixed(3)}`,
  ],
  [
    12,
    (r) =>
      `<86>sshd[${r.int(300, 99_999)}]: Failed password for invalid user ${pick(r, USERS)} from ${address(r)} port ${r.int(1024, 65_535)} ssh2`,
  ],
  [
    4,
    (r) =>
      `<86>sshd[${r.int(300, 99_999)}]: Accepted publickey for ${pick(r, USERS)} from ${address(r)} port ${r.int(1024, 65_535)} ssh2: ED25519 SHA256:${id(r, 40)}`,
  ],
  [
    10,
    (r) =>
      `<22>postfix/smtp[${r.int(300, 99_999)}]: ${id(r, 10)}: to=<${pick(r, USERS)}${r.int(0, 999)}@example.net>, relay=mx${r.int(1, 4)}.example.net[${address(r)}]:25, delay=${(r.int(0, 900) / 100).toFixed(2)}, delays=0.0${r.int(1, 9)}/0.01/0.${r.int(10, 99)}/0.${r.int(10, 99)}, dsn=2.0.0, status=sent (250 2.0.0 OK ${r.int(1e9, 2e9)} ${id(r, 14)})`,
  ],
  [
    8,
    (r) =>
      `<22>postfix/qmgr[${r.int(300, 99_999)}]: ${id(r, 10)}: from=<${pick(r, USERS)}@example.com>, size=${r.int(400, 900_000)}, nrcpt=1 (queue active)`,
  ],
  [
    14,
    (r) =>
      `<4>kernel: [${r.int(1000, 9_999_999)}.${r.int(100_000, 999_999)}] [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:${id(r, 2)}:${id(r, 2)}:${id(r, 2)}:08:00 SRC=${address(r)} DST=192.0.2.${r.int(1, 254)} LEN=${r.int(40, 1500)} TOS=0x00 PREC=0x00 TTL=${r.int(30, 250)} ID=${r.int(0, 65_535)} PROTO=TCP SPT=${r.int(1024, 65_535)} DPT=${pick(r, [22, 23, 80, 443, 3389, 8080])} WINDOW=${r.int(500, 65_000)} RES=0x00 SYN URGP=0`,
  ],
  [6, (r) => `<78>CRON[${r.int(300, 99_999)}]: (${pick(r, USERS)}) CMD (test -x /usr/bin/job && /usr/bin/job --run ${r.int(1, 60)})`],
  [
    6,
    (r) =>
      `<85>sudo: ${pick(r, USERS)} : TTY=pts/${r.int(0, 9)} ; PWD=/home/${pick(r, USERS)} ; USER=root ; COMMAND=/usr/bin/systemctl restart app-${r.int(1, 40)}`,
  ],
]

/** Messages as programs send them to the local socket, with PRI and tag. */
export function realisticLines(count: number): string[] {
  const random = new Random(1)
  const total = KINDS.reduce((sum, [weight]) => sum + weight, 0)
  return Array.from({ length: count }, () => {
    let at = random.int(0, total - 1)
    for (const [weight, kind] of KINDS) {
      if (at < weight) return kind(random)
      at -= weight
    }
    return ''
  })
}
