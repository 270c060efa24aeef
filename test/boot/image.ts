// The disk of the guest: a small Debian, the package installed in it, and the trial as a service of its own.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MIRROR, SUITE } from '../support/debian.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const INCLUDED = 'systemd,systemd-sysv,dbus,libatomic1,libpam-systemd'
const DISK_BYTES = 2 ** 31
const TRIAL = 'root/trial'

const SERVICE = `[Unit]
Description=Trial of Loghop
After=multi-user.target
[Service]
Type=oneshot
# Of its own, since the package's is removed at the end.
ExecStart=/root/trial/node --no-warnings /root/trial/test/boot/guest.ts
ExecStopPost=-/bin/systemctl poweroff --no-block
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
`

/** Nothing in the guest asks for them, and a guest without their devices waits for these for a minute and a half. */
const MASKED = [
  ...['getty@.service', 'serial-getty@.service', 'console-getty.service'],
  ...['systemd-udevd.service', 'systemd-udev-trigger.service', 'systemd-udevd-kernel.socket', 'systemd-udevd-control.socket'],
]

/** @returns a tar of it, made once and kept in `cache` */
function debian(cache: string): string {
  const file = path.join(cache, `boot-${SUITE}.tar`)
  if (fs.existsSync(file)) return file
  const part = `${file}.part.tar`
  execFileSync('mmdebstrap', ['--quiet', '--variant=minbase', `--include=${INCLUDED}`, SUITE, part, MIRROR], { stdio: 'inherit' })
  fs.renameSync(part, file)
  return file
}

export interface Image {
  /** Where the tar of the Debian is kept. */
  readonly cache: string
  /** For what is made; the disk is left there. */
  readonly directory: string
  /** The package that is installed, and the one that it is upgraded to. */
  readonly older: string
  readonly newer: string
}

/** @returns the disk, with a file system of its own size */
export function makeImage({ cache, directory, older, newer }: Image): string {
  const root = path.join(directory, 'root')
  fs.mkdirSync(root)
  execFileSync('tar', ['-xpf', debian(cache), '-C', root, '--numeric-owner', '--exclude=./dev/*'])
  const put = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    fs.writeFileSync(path.join(root, file), text)
  }
  put('etc/hostname', 'web01.example.com\n')
  put('etc/hosts', '127.0.0.1 localhost\n127.0.1.1 web01.example.com logs.example.com ca.example.com\n')
  put('etc/fstab', '/dev/ubda / ext4 defaults 0 1\n')
  // journald's own limit for each service, 10,000 messages in 30 s, is not what is tried here.
  put('etc/systemd/journald.conf.d/trial.conf', '[Journal]\nRateLimitIntervalSec=0\n')
  for (const unit of MASKED) fs.symlinkSync('/dev/null', path.join(root, 'etc/systemd/system', unit))
  fs.copyFileSync(older, path.join(root, 'older.deb'))
  execFileSync('chroot', [root, 'dpkg', '-i', '/older.deb'], { stdio: 'pipe' })
  fs.unlinkSync(path.join(root, 'older.deb'))

  fs.mkdirSync(path.join(root, TRIAL), { recursive: true })
  fs.copyFileSync(newer, path.join(root, TRIAL, 'newer.deb'))
  fs.copyFileSync(path.join(root, 'usr/lib/loghop/node'), path.join(root, TRIAL, 'node'))
  put(`${TRIAL}/package.json`, '{ "type": "module" }')
  for (const folder of ['core', 'test/support', 'test/boot'])
    fs.cpSync(path.join(ROOT, folder), path.join(root, TRIAL, folder), { recursive: true })
  execFileSync('cc', ['-O2', '-static', '-o', path.join(root, TRIAL, 'sender'), path.join(ROOT, 'test/support/sender.c')])
  put('etc/systemd/system/trial.service', SERVICE)
  fs.symlinkSync('../trial.service', path.join(root, 'etc/systemd/system/multi-user.target.wants/trial.service'))

  const disk = path.join(directory, 'disk')
  fs.writeFileSync(disk, '')
  fs.truncateSync(disk, DISK_BYTES)
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', root, disk])
  fs.rmSync(root, { recursive: true, force: true })
  return disk
}
