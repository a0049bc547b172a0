#!/usr/bin/perl -w
# A test of a small parser, in TAP: SEED and how many rounds.
use strict;

my ($seed, $rounds) = @ARGV;
my ($state, $failed) = ($seed, 0);
sub number { $state = ($state * 1103515245 + 12345) % 2147483648; return ($state >> 8) % $_[0]; }

for my $round (1 .. $rounds) {
    my %stored = map { "key" . number(100000) => number(1000) } 1 .. 400;
    my $text = join "\n", map { "$_ = $stored{$_}  # " . "x" x number(40) } sort keys %stored;
    my %read;
    for my $line (split /\n/, $text) {
        next unless $line =~ /^\s*(\w+)\s*=\s*(\d+)\s*(?:#.*)?$/;
        $read{$1} = $2;
    }
    my $lost = grep { !defined $read{$_} || $read{$_} != $stored{$_} } keys %stored;
    print $lost ? "not ok" : "ok", " $round - what was written is read\n";
    $failed ||= $lost;
}
print "1..$rounds\n";
exit($failed ? 1 : 0);
