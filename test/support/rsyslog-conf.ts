import * as path from 'node:path'

/** A configuration of rsyslogd with a socket of its own, the form of classic files, and these lines of syslog.conf. @param more settings of the input */
export function rsyslogConf(lines: string, socket: string, more = ''): string {
  return `module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="${socket}" CreatePath="off" RateLimit.Interval="0" UseSysTimeStamp="off" IgnoreTimestamp="off" ${more})
$ActionFileDefaultTemplate RSYSLOG_TraditionalFileFormat
${lines}`
}

/** Of rsyslogd in the foreground. */
export function rsyslogArguments(file: string, directory: string): string[] {
  return ['-n', '-f', file, '-i', path.join(directory, 'pid')]
}
