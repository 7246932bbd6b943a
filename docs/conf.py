# SPDX-License-Identifier: MIT
#
# Makes HTML of the Markdown in this folder, see `make docs`. A forge shows the sources as
# they are; what Sphinx needs beyond that is put in while they are read.

import glob
import os
import re
import subprocess
import sys

repo = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

project = 'mvgpu'
extensions = ['myst_parser', 'sphinx.ext.graphviz']
root_doc = 'index'
myst_heading_anchors = 3
graphviz_output_format = 'svg'
graphviz_dot_args = ['-Nshape=box', '-Nstyle=rounded', '-Nfontname=sans-serif', '-Nfontsize=11',
                     '-Efontname=sans-serif', '-Efontsize=10']
html_theme = 'alabaster'
html_theme_options = {'page_width': '70em', 'font_size': '16px'}
html_copy_source = False
# A function of ours has to be in the API reference; opaque types and the kernel's own are not.
nitpicky = True
nitpick_ignore_regex = [('c:identifier', '.*'), ('c:func', '(?!.*mvgpu_).*')]

header = 'kernel/include/mvgpu.h'


def slurp(path):
    with open(os.path.join(repo, path), encoding='utf-8') as file:
        return file.read()


def kernel_doc(match):
    """The comments of a header, or at the functions that a source file exports."""
    path = match[1]
    script = sorted(glob.glob('/usr/lib/linux-kbuild-*/scripts/kernel-doc'))
    if not script:
        sys.exit('no kernel-doc: apt install linux-headers-amd64')
    done = subprocess.run([script[0], '-rst', *([] if path == header else ['-export']),
                           os.path.join(repo, path)], text=True, capture_output=True, check=True)
    if done.stderr or '.. c:' not in done.stdout:
        sys.exit(f'{path}: {done.stderr or "kernel-doc finds nothing"}')
    text = re.sub(r'(?<![\w`])(\w*mvgpu_\w+)\(\)', r':c:func:`\1`', done.stdout)
    # To Sphinx, a struct and a function of one scope can't have one name.
    structs = re.findall(r'^struct (\w+) {', slurp(header), flags=re.M)
    text = re.sub(r'^\.\. c:function:: .*?(\w+) \(.*$', lambda m:
                  f'.. c:namespace:: {"call" if m[1] in structs else "NULL"}\n\n{m[0]}',
                  text, flags=re.M)
    return f'``````{{eval-rst}}\n{text}\n``````'


def contents(text):
    """The pages are in the order of the first page's links."""
    pages = dict.fromkeys(re.findall(r'\]\(([\w-]+)\.md\)', text))
    return '\n'.join(['', '```{toctree}', ':hidden:', *pages, '```', ''])


def read(app, page, source):
    text = re.sub(r'^```dot$', '```{graphviz}', source[0], flags=re.M)
    text = re.sub(r'`(mvgpu_\w+)\(\)`', r'{c:func}`\1`', text)
    text = re.sub(r'^<!-- kernel-doc: (\S+) -->$', kernel_doc, text, flags=re.M)
    source[0] = text + (contents(text) if page == root_doc else '')


def setup(app):
    app.connect('source-read', read)
