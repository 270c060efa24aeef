// Of which Debian a test makes a system of its own.

export const MIRROR = process.env['LOGHOP_DEBIAN_MIRROR'] ?? 'http://deb.debian.org/debian'
export const SUITE = process.env['LOGHOP_DEBIAN_SUITE'] ?? 'stable'
