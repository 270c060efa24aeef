// npm run test:interop: finds or installs the foreign programs, runs each file of tests whose programs are there, and names what could not run.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { findSyslogNg } from '../support/syslog-ng.ts'

interface Needed {
  readonly program: string
  /** Debian package that brings it. */
  readonly package: string
  /** Another file that must be there too, such as a plugin of the program. */
  readonly file?: string
  /** How it is found, where it is not installed. */
  readonly find?: () => unknown
}

const PLUGINS = '/usr/lib/x86_64-linux-gnu/rsyslog'
const IPSEC_PLUGINS = '/usr/lib/ipsec/plugins'
const SUITES: Readonly<Record<string, readonly Needed[]>> = {
  'clocks.test.ts': [{ program: 'faketime', package: 'faketime' }],
  'enrolment.test.ts': [
    { program: 'pki', package: 'strongswan-pki' },
    { program: 'pki', package: 'libstrongswan-standard-plugins', file: `${IPSEC_PLUGINS}/libstrongswan-openssl.so` },
    { program: 'curl', package: 'curl' },
    { program: 'openssl', package: 'openssl' },
  ],
  'fail2ban.test.ts': [
    { program: 'fail2ban-regex', package: 'fail2ban' },
    { program: 'fail2ban-server', package: 'fail2ban' },
  ],
  'openssl.test.ts': [{ program: 'openssl', package: 'openssl' }],
  'other-authority.test.ts': [{ program: 'openssl', package: 'openssl' }],
  'pkcs12.test.ts': [
    { program: 'openssl', package: 'openssl' },
    { program: 'keytool', package: 'default-jre-headless' },
  ],
  'senders.test.ts': [
    { program: 'logger', package: 'bsdutils' },
    { program: 'python3', package: 'python3' },
    { program: 'cc', package: 'gcc' },
    { program: 'cc', package: 'libc6-dev', file: '/usr/include/syslog.h' },
    { program: 'unshare', package: 'util-linux' },
  ],
  'coming-from-syslog-ng.test.ts': [
    { program: 'syslog-ng', package: 'syslog-ng-core', find: findSyslogNg },
    { program: 'stunnel', package: 'stunnel4' },
  ],
  'door.test.ts': [
    { program: 'rsyslogd', package: 'rsyslog' },
    { program: 'rsyslogd', package: 'rsyslog-gnutls', file: `${PLUGINS}/lmnsd_gtls.so` },
    { program: 'rsyslogd', package: 'rsyslog-openssl', file: `${PLUGINS}/lmnsd_ossl.so` },
    { program: 'logger', package: 'bsdutils' },
    { program: 'stunnel', package: 'stunnel4' },
    { program: 'openssl', package: 'openssl' },
    { program: 'systemd-socket-activate', package: 'systemd' },
  ],
  'sslscan.test.ts': [{ program: 'sslscan', package: 'sslscan' }],
  'syslog-ng.test.ts': [
    { program: 'syslog-ng', package: 'syslog-ng-core', find: findSyslogNg },
    { program: 'logger', package: 'bsdutils' },
  ],
  'systemd.test.ts': [
    { program: 'systemd-analyze', package: 'systemd' },
    { program: 'systemd-socket-activate', package: 'systemd' },
    { program: 'python3', package: 'python3-seccomp', file: '/usr/share/doc/python3-seccomp' },
  ],
  'package.test.ts': [
    { program: 'dpkg-deb', package: 'dpkg' },
    { program: 'lintian', package: 'lintian' },
    { program: 'debootstrap', package: 'debootstrap' },
    { program: 'shellcheck', package: 'shellcheck' },
    { program: 'man', package: 'man-db' },
    { program: 'strip', package: 'binutils' },
  ],
  'tls-conduct.test.ts': [
    { program: 'openssl', package: 'openssl' },
    { program: 'python3', package: 'python3' },
  ],
  'sources.test.ts': [
    { program: 'journalctl', package: 'systemd' },
    { program: 'journalctl', package: 'systemd-journal-remote', file: '/lib/systemd/systemd-journal-remote' },
    { program: 'logrotate', package: 'logrotate' },
  ],
  'rsyslog.test.ts': [
    { program: 'rsyslogd', package: 'rsyslog' },
    { program: 'rsyslogd', package: 'rsyslog-relp', file: `${PLUGINS}/omrelp.so` },
    { program: 'logger', package: 'bsdutils' },
  ],
  'years.test.ts': [{ program: 'openssl', package: 'openssl' }],
  'rules.test.ts': [
    { program: 'rsyslogd', package: 'rsyslog' },
    { program: 'python3', package: 'python3' },
  ],
  // inetutils-syslogd cannot be installed beside rsyslog; the test unpacks it for itself.
  'syslogd.test.ts': [
    { program: 'rsyslogd', package: 'rsyslog' },
    { program: 'python3', package: 'python3' },
  ],
  'forward-rsyslog.test.ts': [
    { program: 'rsyslogd', package: 'rsyslog' },
    { program: 'rsyslogd', package: 'rsyslog-relp', file: `${PLUGINS}/imrelp.so` },
    { program: 'rsyslogd', package: 'rsyslog-gnutls', file: `${PLUGINS}/lmnsd_gtls.so` },
    { program: 'rsyslogd', package: 'rsyslog-openssl', file: `${PLUGINS}/lmnsd_ossl.so` },
  ],
}

function has(needed: Needed): boolean {
  if (needed.find !== undefined) return needed.find() !== undefined
  const path = `${process.env['PATH']}:/usr/sbin:/sbin`
  const isFound = path.split(':').some((directory) => fs.existsSync(`${directory}/${needed.program}`))
  return isFound && (needed.file === undefined || fs.existsSync(needed.file))
}

function install(packages: readonly string[]): void {
  if (packages.length === 0 || process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).error !== undefined) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['update', '-qq'], { env, stdio: 'inherit' })
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env, stdio: ['ignore', 'ignore', 'inherit'] })
}

const missing = new Set(
  Object.values(SUITES)
    .flat()
    .filter((needed) => needed.find === undefined && !has(needed))
    .map((needed) => needed.package),
)
install([...missing])

const folder = fileURLToPath(new URL('.', import.meta.url))
const files = fs.readdirSync(folder).filter((name) => name.endsWith('.test.ts'))
const runnable: string[] = []
const notRun: string[] = []
for (const file of files) {
  const lacking = (SUITES[file] ?? []).filter((needed) => !has(needed))
  if (lacking.length === 0) runnable.push(`test/interop/${file}`)
  else notRun.push(`${file}: needs ${lacking.map((needed) => `${needed.program} (Debian package ${needed.package})`).join(', ')}`)
}
const done = spawnSync('ava', ['--config', 'ava.interop.config.js', ...runnable], { stdio: 'inherit' })
for (const line of notRun) process.stdout.write(`not run: ${line}\n`)
process.exitCode = done.status ?? 1
