#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The portable sources of the framework in userspace, under the sanitizers

use v5.36;
use FindBin;
use lib $FindBin::Bin;
use Test::More;
use Unit;

ok build('all'), 'the binaries build' or BAIL_OUT('no binaries');
relay($_, s{.*/}{}r) for variable('BINS');
done_testing;
