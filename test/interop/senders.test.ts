// What really writes to a local socket: logger in both formats, syslog(3) of a C program, Python's SysLogHandler.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import test from 'ava'
import { Chain } from '../support/chain.ts'

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d`

test('logger writes in its own format, and the line carries its tag and the pid that the kernel knows', async (t) => {
  const chain = await Chain.start(t)
  execFileSync('logger', ['-u', chain.socket, '-t', 'backup', '-p', 'cron.info', 'nightly run done'])
  const [line] = await chain.lines(1)
  t.regex(line!, new RegExp(`^${TIME} web01\\.example\\.com backup\\[\\d+\\]: nightly run done$`))
})

test('logger --rfc5424 keeps its structured data on the way and its own time', async (t) => {
  const chain = await Chain.start(t)
  execFileSync('logger', ['-u', chain.socket, '--rfc5424', '-t', 'app', '--msgid', 'ID7', 'grüße'])
  const [line] = await chain.lines(1)
  t.regex(line!, new RegExp(`^${TIME} web01\\.example\\.com app\\[\\d+\\]: .*grüße$`))
})

test('a program claims the pid of another in its text, and the kernel wins', async (t) => {
  const chain = await Chain.start(t)
  const program =
    "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'<13>Nov  1 00:00:00 liar[1]: who am I', sys.argv[1])"
  execFileSync('python3', ['-c', program, chain.socket])
  const [line] = await chain.lines(1)
  t.notRegex(line!, /liar\[1\]/)
  t.regex(line!, /liar\[\d+\]: who am I$/)
})

test('a C program that calls syslog(3) arrives with LOG_PID and without', async (t) => {
  const chain = await Chain.make(t)
  const source = chain.place('program.c')
  fs.writeFileSync(
    source,
    `#include <syslog.h>
int main(void) {
  openlog("cprogram", LOG_PID, LOG_DAEMON);
  for (int i = 0; i < 1000; i++) syslog(LOG_WARNING, "number %d of %s", i, "many");
  closelog();
  openlog("bare", 0, LOG_MAIL);
  syslog(LOG_ERR, "no pid here");
  return 0;
}
`,
  )
  execFileSync('cc', ['-o', chain.place('program'), source])
  await chain.startRelay()
  await chain.startAgent()
  // syslog(3) knows one path alone, so the program sees a /dev of its own in which that path leads to ours.
  const inOwnDev = 'mount -t tmpfs tmpfs /dev && ln -s "$1" /dev/log && exec "$2"'
  execFileSync('unshare', ['--map-root-user', '--mount', 'sh', '-c', inOwnDev, 'sh', chain.socket, chain.place('program')])
  const lines = await chain.lines(1001)
  t.deepEqual(
    lines.slice(0, 1000).map((line) => line.replace(/^.* cprogram\[\d+\]: /, '')),
    Array.from({ length: 1000 }, (_, index) => `number ${index} of many`),
  )
  t.regex(lines[1000]!, / bare\[\d+\]: no pid here$/)
})

test("Python's SysLogHandler arrives, with its final NUL gone and its text whole", async (t) => {
  const chain = await Chain.start(t)
  const program = `
import logging, logging.handlers, sys
handler = logging.handlers.SysLogHandler(address=sys.argv[1])
log = logging.getLogger('x'); log.addHandler(handler); log.setLevel(logging.DEBUG)
log.warning('disk %s nearly full', '/srv')
handler.ident = 'pyapp: '
log.error('two\\nlines')
`
  execFileSync('python3', ['-c', program, chain.socket])
  const lines = await chain.lines(2)
  t.regex(lines[0]!, / -\[\d+\]: disk \/srv nearly full$/)
  t.regex(lines[1]!, / pyapp\[\d+\]: two#012lines$/)
})
