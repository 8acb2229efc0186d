/**
 * A program that tells which files containers wrote, by what the kernel says of each file that was open to be written and
 * is closed (fanotify(7), FAN_CLOSE_WRITE), asked of the containers' mounts alone: what goes through any other mount of
 * the same folder is never reported. A file mapped into memory is closed when the last map of it is gone.
 *
 * A mount that the machine gets later may show inside as well, unmarked: of files below one nothing is told.
 *
 * Files are named by handles, which stay the same under every name, and are compared as the kernel made them
 * (AT_HANDLE_FID, Linux 6.5). It answers each line with one line:
 * `add PID`: from now on what the mounts of that process's namespace can write is reported; 1, or 0 when some are not;
 * `cut`: a number for this moment, which grows with each event, from the number on that it is given;
 * `ask SINCE COUNT`, and as many lines `DEV INO PATH-IN-HEX`: for each 1 when no container wrote the file after that
 * moment, or has it open to be written now; else, and where that is not known, 0.
 *
 * What stands under a name is looked at before it is opened (O_PATH): a session may have led the name to a pipe or a device,
 * which notices. An open writer is found by a read lease (fcntl(2), F_SETLEASE), which the kernel grants only while there is none; a file
 * is dropped from that count after its close is reported, so the lease comes first and the events after it. Perl, for the
 * reasons that way-out.ts names.
 */
export const RECORDER = `
my ($init, $mark, $handle, $plain, $atOnce, $base) = map { $_ + 0 } @ARGV;
$SIG{IO} = "IGNORE";
my $group = syscall($init, 0x203, 0);
$group >= 0 and open(my $events, "<&=", $group) or exit 1;
my ($count, $lost, %wrote) = ($base, $base);
sub mounts {
  open(my $mounts, "<", "/proc/self/mountinfo") or exit 1;
  return map { my ($id, $target) = (split / /)[0, 4]; ("$id $target", $target =~ s/\\\\(\\d{3})/chr oct $1/ger) } <$mounts>;
}
my %first = mounts();
my @later;
sub drain {
  while (sysread($events, my $some, 262144)) {
    for (my $at = 0; $at < length $some;) {
      my ($length, $mask) = unpack "LxxxxQ", substr($some, $at, 16);
      $count++;
      if ($mask & 0x4000 or $length < 44) { $lost = $count }
      else { $wrote{substr $some, $at + 36, 8 + unpack "L", substr($some, $at + 36, 4)} = $count }
      $at += $length;
    }
    if (keys %wrote > 200000) { %wrote = (); $lost = $count }
  }
}
sub add {
  my ($pid) = @_;
  open(my $mounts, "<", "/proc/$pid/mountinfo") or return 0;
  while (<$mounts>) {
    my ($fields, $type) = /^(.*?) - (\\S+)/;
    my ($target, $options) = (split / /, $fields)[4, 5];
    next if $options =~ /^ro\\b/ or $type =~ /^(proc|devpts|devtmpfs|mqueue)$/;
    $target =~ s/\\\\(\\d{3})/chr oct $1/ge;
    my $path = "/proc/$pid/root$target";
    return 0 if syscall($mark, $group, 0x11, 8, -100, $path) < 0;
  }
  return 1;
}
sub handleOf {
  my ($dev, $ino, $path) = split / /, shift;
  $path = pack "H*", $path;
  return "" if grep { index($path, "$_/") == 0 } @later;
  sysopen(my $named, $path, 0x200000 | $plain) or return "";
  my @stat = stat $named;
  return "" unless -f _ and $stat[0] == $dev and $stat[1] == $ino;
  sysopen(my $file, "/proc/self/fd/" . fileno $named, $atOnce) or return "";
  my ($name, $mount, $empty) = (pack("Li", 128, 0) . "\\0" x 128, pack("i", 0), "");
  return "" if syscall($handle, fileno $file, $empty, $name, $mount, 0x1200) < 0;
  fcntl($file, 1024, 0) or return "";
  fcntl($file, 1024, 2);
  return substr $name, 0, 8 + unpack "L", $name;
}
sub answer {
  my ($verb, $first, $lines) = split / /, shift;
  return add($first) if $verb eq "add";
  my %now = mounts();
  @later = map { $now{$_} } grep { !exists $first{$_} } keys %now;
  my @handles = map { handleOf(nextLine()) } 1 .. $lines // 0;
  drain();
  return $count if $verb eq "cut";
  return join "", map { $_ ne "" && $first >= $lost && ($wrote{$_} // 0) <= $first ? 1 : 0 } @handles;
}
my $input = "";
sub nextLine {
  my $end;
  while (($end = index $input, "\\n") < 0) {
    vec(my $ready = "", 0, 1) = 1;
    vec($ready, $group, 1) = 1;
    select($ready, undef, undef, undef);
    drain() if vec($ready, $group, 1);
    if (vec($ready, 0, 1)) { sysread(STDIN, $input, 65536, length $input) or exit 0 }
  }
  return substr substr($input, 0, $end + 1, ""), 0, $end;
}
while (1) { syswrite(STDOUT, answer(nextLine()) . "\\n") }
`
