#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Negative controls: the unit tests notice when the sources are wrong. Each mutant is a
# copy of the portable sources' folders in the build folder with one thing changed.

use v5.36;
use File::Path qw(make_path remove_tree);
use FindBin;
use POSIX ();
use lib $FindBin::Bin;
use Test::More;
use Unit;

my $locked = qr/spin_lock_irqsave\(&irqs->lock,\ flags\);(.*?)
		spin_unlock_irqrestore\(&irqs->lock,\ flags\);/sx;

# [ what is wrong, file, what is replaced (once), by what, which test has to notice ]
my @mutants = (
	['a read-only register is writable', 'config.c',
	 qr/(PCI_DEVICE_ID, ids->device, )0/, sub { "${1}1" }, 'config_test'],
	['a reserved bit of a control register is writable', 'config.c',
	 qr/PCI_EXP_DEVCTL_CERE \|/, 'PCI_EXP_DEVCTL_EXT_TAG | PCI_EXP_DEVCTL_CERE |', 'config_test'],
	['the BAR mask is off by one', 'config.c',
	 qr/lower_32_bits\(~\(size - 1\)\)/, 'lower_32_bits(~size)', 'config_test'],
	['the upper half of a BAR has no mask', 'config.c',
	 qr/upper_32_bits\(~\(size - 1\)\)/, '0', 'config_test'],
	['writing ones clears nothing', 'config.c',
	 qr/val & cfg->w1c\[at\]/, '0', 'config_test'],
	['D1 and D2 are accepted', 'config.c',
	 qr/state && state != 3/, 'false', 'config_test'],
	['the function level reset is missed', 'config.c',
	 qr/PCI_EXP_DEVCTL_BCR_FLR >> 8/, '0', 'config_test'],
	['the last capability that fits is refused', 'config.c',
	 qr/pos \+ size > MVGPU_CONFIG_SIZE/, 'pos + size >= MVGPU_CONFIG_SIZE', 'config_test'],
	['a capability too many is taken', 'config.c',
	 qr/pos \+ size > MVGPU_CONFIG_SIZE/, 'pos + size > MVGPU_CONFIG_SIZE + 4', 'config_test'],
	['gates miss bus mastering', 'config.c',
	 qr/asleep \|\| !\(cmd & PCI_COMMAND_MASTER\)/, 'asleep', 'config_test'],
	['reset does nothing', 'config.c',
	 qr/memcpy\(cfg->val, cfg->init, sizeof\(cfg->val\)\);/, '', 'config_test'],

	['INTx is not automasked', 'irq.c',
	 qr/v->masked = true;/, ';', 'irq_test'],
	['a replaced trigger leaks', 'irq.c',
	 qr/if \(old\)\s+eventfd_ctx_put\(old\);/, '', 'irq_test'],
	['a bad eventfd leaks the ones before it', 'irq.c',
	 qr/while \(i--\)\s+if \(ctx\[i\]\)\s+eventfd_ctx_put\(ctx\[i\]\);/, '', 'irq_test'],
	['the unmask eventfd outlives the VMM', 'irq.c',
	 qr/(lockdep_assert_held\(&irqs->config_lock\);\s+)vfio_virqfd_disable\(&irqs->unmask\);/,
	 sub { "$1" }, 'irq_test'],
	['an opened gate delivers nothing', 'irq.c',
	 qr/(irqs->gate = \*gate;\s+)deliver_all\(irqs\);/, sub { "$1" }, 'irq_test'],
	['a lowered line stays pending', 'irq.c',
	 qr/irqs->vec\[0\]\.pending = false;/, '{ }', 'irq_test'],
	['the VMM\'s mask is ignored', 'irq.c',
	 qr/ \|\| v->masked\b/, '', 'irq_model_test'],
	['the vector is not checked', 'irq.c',
	 qr/vector < irqs->count\[irqs->active\]\) \{/, 'true) {', 'irq_test'],
	['a message is delivered twice', 'irq.c',
	 qr/else\s+v->pending = false;/, '', 'irq_model_test'],
	['an array leaks', 'irq.c',
	 qr/kfree\(ctx\);/, '', 'irq_test'],
	['raising takes no lock', 'irq.c',
	 qr/(mvgpu_irqs_raise\(.*?)$locked/s,
	 sub { "${1}flags = 0;${2}(void)flags;" }, 'irq_test'],
	['swapping a trigger takes no lock', 'irq.c',
	 qr/(void swap_trigger\(.*?)$locked/s,
	 sub { "${1}flags = 0;${2}(void)flags;" }, 'irq_race_test'],
	['the unmask eventfd\'s wake-up delivers', 'irq.c',
	 qr/NULL, unmask_work, NULL/, '(int (*)(void *, void *))unmask_work, NULL, NULL',
	 'irq_test'],

	# The laws of DESIGN.md, decision 1, each broken
	['law 1: a tracked page is pinned again', 'tracker.c',
	 qr/pages < most && !leaf->entry\[i \+ pages\]/, 'pages < most', 'tracker_map_test'],
	['law 2: the upper half of the address is lost', 'tracker.h',
	 qr/if \(entry & MVGPU_ENTRY_HIGH\)/, 'if (false)', 'tracker_map_test'],
	['law 2: two ranges wherever they are, are one segment', 'mapping.c',
	 qr/seg\[-1\]\.addr \+ seg\[-1\]\.len == addr/, 'true', 'tracker_model_test'],
	['law 2: addresses far apart are one segment', 'tracker.h', qr/ == 2;/, ' > 1;',
	 'tracker_map_test'],
	['law 3: the second reference is not counted', 'tracker.c',
	 qr/entry\[i\]\+\+;/, '{ }', 'tracker_map_test'],
	['law 3: a run outlives its last reference', 'tracker.c',
	 qr/if \(live\)\s+return;/, 'return;', 'tracker_map_test'],
	['law 3: a run dies before its last reference', 'tracker.c',
	 qr/if \(live\)\s+return;/, '', 'tracker_model_test'],
	['law 3: the cache has no limit', 'run.c',
	 qr/clamp_t\(long, keep, 0, READ_ONCE\(t->cache_limit\)\)/, 'max(keep, 0l)', 'tracker_map_test'],
	['law 4: nobody is revoked', 'tracker.c',
	 qr/mvgpu_mapping_doom\(p->mapping\);/, '{ }', 'tracker_revoke_test'],
	['law 4: the neighbours in a run are not revoked', 'tracker.c',
	 qr/p->first < i &&/, 'p->first <= hi &&', 'tracker_revoke_test'],
	['law 4: the pages go before the callback returns', 'mapping.c',
	 qr/(m->revoke\(m, m->priv\);).*?(mapping_release\(m\);)/s,
	 sub { "$2 wait_event_timeout(t->wait, false, 10); $1" }, 'tracker_revoke_test'],
	['law 4: what is revoked stays in sight', 'mapping.c',
	 qr/mapping_hide\(m\);/, '', 'tracker_revoke_test'],
	['law 4: what is unmapped stays in sight', 'mapping.c',
	 qr/mapping_hide\(mapping\);/, '', 'tracker_revoke_test'],
	['law 4: what the hardware has forgotten stays in sight', 'quarantine.c',
	 qr/t->hide\(t\);/, '{ }', 'tracker_revoke_test'],
	['a picture may go on in the middle of a page', 'mapping.c',
	 qr/ \|\| \(len && stop & ~PAGE_MASK\)/, '', 'tracker_map_test'],
	['law 5: reset hardware is told of what is to be revoked', 'sched.c',
	 qr/mvgpu_mapping_revoked\(backing->mapping\)/, 'backing->revoked', 'virtio_revoke_test'],
	['law 4: a range that goes can be mapped', 'going.c',
	 qr/list_add_tail\(&g->node, &t->going\);/, 'INIT_LIST_HEAD(&g->node);', 'tracker_revoke_test'],
	['law 5: hardware that is not quiet keeps the pins', 'going.c',
	 qr/mvgpu_quarantine\(t, g->first, g->last\);/, '', 'tracker_revoke_test'],
	['law 5: the segments of a doomed mapping find no room', 'mapping.c',
	 qr/else if \(seg < m->segments \+ room\)/, 'else', 'tracker_revoke_test'],
	['law 5: quarantine holds no pages', 'quarantine.c',
	 qr/get_page\(mvgpu_dma_page\(.*?\)\)\);/, '', 'tracker_revoke_test'],
	['law 5: quarantine ends too early', 'quarantine.c',
	 qr/if \(!t->unquiet\)/, '', 'tracker_revoke_test'],
	['law 5: a reset frees what the CPU still sees', 'quarantine.c',
	 qr/if \(!q->window\)/, 'if (true)', 'tracker_revoke_test'],
	['law 5: slow callbacks use up the calls', 'going.c',
	 qr/#define SHORT_CALLS\s+3/, '#define SHORT_CALLS 30', 'tracker_revoke_test'],
	['law 5: who holds VFIO\'s lock uses up the calls', 'going.c',
	 qr/#define LAST_CALL\s+10/, '#define LAST_CALL 100', 'tracker_revoke_test'],
	['law 8: the last close waits for itself', 'going.c',
	 qr/if \(calls_again && /, 'if (', 'tracker_revoke_test'],
	['law 6: any page will do', 'run.c',
	 qr/return !PageReserved\(page\) && !is_zone_device_page\(page\);/, 'return true;',
	 'tracker_map_test'],
	['law 6: bounce buffers go unnoticed', 'dma.c',
	 qr/mvgpu_dma_unmap\(dma, \*addr, pages, ro\);\s+return -ERANGE;/, 'return 0;',
	 'tracker_map_test'],
	['law 6: a range may wrap', 'mapping.c', qr/ \|\| last < ranges\[i\]\.iova/, '',
	 'tracker_map_test'],
	['law 6: a failed map leaves a pin', 'run.c',
	 qr/(if \(ret\) \{\s+)vfio_unpin_pages\(t->vdev, iova, pages\);/, sub { $1 },
	 'tracker_map_test'],
	['law 7: read-only memory is mapped for writing', 'run.c',
	 qr/mvgpu_dma_map\(&t->dma, page\[i\], n, ro,/, 'mvgpu_dma_map(&t->dma, page[i], n, false,',
	 'tracker_map_test'],
	['law 7: a reader lets a writer in', 'tracker.c',
	 qr/if \(write && entry & MVGPU_ENTRY_RO\)/, 'if (false)', 'tracker_map_test'],
	['law 7: a mapping that nobody reports about is clean in the end', 'mapping.c',
	 qr/mvgpu_dirty_ended\(mapping\);/, '', 'tracker_dirty_test'],
	['law 7: a revoked mapping is clean', 'mapping.c',
	 qr/mvgpu_dirty_ended\(m\);/, '', 'tracker_dirty_test'],
	['law 7: a held mapping is clean', 'dirty.c', qr/mark_held\(t, iova [^;]*;/, '',
	 'tracker_dirty_test'],
	['law 7: the vendor driver is not believed', 'dirty.c',
	 qr/m->write && !READ_ONCE\(m->reports\)/, 'm->write', 'tracker_dirty_test'],
	['law 7: what is only read counts as written', 'dirty.c',
	 qr/m->write && !READ_ONCE\(m->reports\)/, '!READ_ONCE(m->reports)', 'tracker_dirty_test'],
	['law 7: what is reported is in the wrong place', 'dirty.c',
	 qr/\+ p->skip \+ offset/, '+ offset', 'tracker_dirty_test'],
	['law 7: what is reported ends with a leaf', 'dirty.c', qr/len -= n;/, 'len = 0;',
	 'tracker_dirty_test'],
	['law 7: the CPU leaves no trace', 'guestmem.c',
	 qr/mvgpu_dirty_mark\(t, iova, len\);/, '{ }', 'tracker_dirty_test'],
	['law 7: a window leaves no trace', 'guestmem.c',
	 qr/mvgpu_mapping_dirty\(w->mapping, 0, w->range\.len\);/, '{ }', 'tracker_dirty_test'],
	['law 7: what was told is told again', 'dirty.c', qr/bitmap_clear\(.*?\);/, '',
	 'tracker_dirty_test'],
	['law 7: more is told than was asked', 'dirty.c',
	 qr/max\(gfn << PAGE_SHIFT, q->iova\)/, 'gfn << PAGE_SHIFT', 'tracker_dirty_test'],
	['law 7: the last batch is forgotten', 'dirty.c',
	 qr/l->first \+ at < end;/, 'l->first + at + BATCH <= end;', 'tracker_dirty_test'],
	['law 7: the log takes no lock', 'dirty.c',
	 qr/(who starts to want it.*?)spin_lock_irqsave\(&t->dirty\.lock, flags\);(.*?)spin_unlock_irqrestore\(&t->dirty\.lock, flags\);/s,
	 sub { "$1 (void)flags;$2" }, 'tracker_race_test'],
	['law 8: closing drops nothing', 'going.c',
	 qr/(wake_up_all\(&t->wait\);\s+)tracker_drop\(t\);/, sub { $1 }, 'tracker_model_test'],
	['law 8: there is mapping after the close', 'going.c',
	 qr/WRITE_ONCE\(t->closed, true\);/, '', 'tracker_revoke_test'],
	['law 9: VFIO waits for the unpinning without limit', 'going.c',
	 qr/: HZ \/ 5/, ': HZ * 10000', 'tracker_revoke_test'],
	['law 9: a mapping\'s state is read without the lock', 'mapping.c',
	 qr/spin_lock\(&m->tracker->lock\);\s+(is = .*?;)\s+spin_unlock\(&m->tracker->lock\);/, sub { $1 },
	 'tracker_race_test'],
	['a window stays open', 'guestmem.c', qr/if \(w->addr\)\s+vunmap/, 'if (false) vunmap',
	 'tracker_dirty_test'],

	['the checksum is off', 'edid.c', qr/= -sum;/, '= 1 - sum;', 'edid_test'],
	['the virtqueue reads past what the guest has made available', 'queue.c',
	 qr/new > q->size \? -EPROTO : new/, 'new', 'virtio_queue_test'],
	['the entries of the ring do not wrap', 'queue.c',
	 qr/avail->ring\[q->last_avail & \(q->size - 1\)\]/, 'avail->ring[q->last_avail]',
	 'virtio_queue_test'],
	['a chain goes round in circles', 'queue.c',
	 qr/for \(n = 0; n < size && /, 'for (n = 0; ', 'virtio_queue_test'],
	['a descriptor out of the table is followed', 'queue.c',
	 qr/n < size && i < size/, 'n < size', 'virtio_queue_test'],
	['a table in a table is followed', 'queue.c',
	 qr/has\(last \+ more - 1, VRING_DESC_F_INDIRECT\) \? -EPROTO : /, '',
	 'virtio_queue_test'],
	['an indirect table is longer than the room for it', 'queue.c',
	 qr/ > VG_CHAIN_MAX - \(n - 1\)/, ' > VG_CHAIN_MAX', 'virtio_queue_test'],
	['what the device reads may come last', 'queue.c',
	 qr/if \(chain->num_in\)\s+return -EPROTO;/, '', 'virtio_queue_test'],
	['a descriptor may wrap', 'queue.c',
	 qr/range\.iova \+ range\.len - 1 < range\.iova/, 'false', 'virtio_queue_test'],
	['the guest is notified too often', 'queue.c',
	 qr/q->signalled = q->used_idx;/, '', 'virtio_queue_test'],
	['nobody asks for notifications again', 'queue.c',
	 qr/set_quiet\(q, false\)/, '0', 'virtio_queue_test'],
	['a chain is lost while memory goes', 'queue.c',
	 qr/(u16 new;\n)(.*?)(int vg_queue_pop.*?)\tq->last_avail\+\+;\n/s,
	 sub { "$1$2$3" }, 'virtio_queue_test'],
	['an answer is written past the end', 'guestmem.c',
	 qr/len > room \|\| offset > room - len/, 'offset > room',
	 'virtio_queue_test'],
	['features that were not offered are accepted', 'transport.c',
	 qr/t->features & ~t->offered \|\| /, '', 'virtio_transport_test'],
	['features change once they are final', 'transport.c',
	 qr/!\(t->status & VIRTIO_CONFIG_S_FEATURES_OK\) && t->driver_select/, 't->driver_select',
	 'virtio_transport_test'],
	['the size of a queue changes while it is used', 'transport.c',
	 qr/else if \(q->enabled\)[^;]*return;/, '', 'virtio_transport_test'],
	['a queue has as many entries as it likes', 'transport.c',
	 qr/val <= VG_QUEUE_SIZE && /, '', 'virtio_transport_test'],
	['any queue can be selected', 'transport.c',
	 qr/t->queue_select >= VG_NUM_QUEUES/, 'false', 'virtio_transport_test'],
	['there are notifications without a driver', 'transport.c',
	 qr/\(READ_ONCE\(t->status\) & mask\) == VIRTIO_CONFIG_S_DRIVER_OK/, 'mask',
	 'virtio_transport_test'],
	['the interrupt status stays', 'transport.c',
	 qr/atomic_xchg\(&t->isr, 0\)/, 'atomic_read(&t->isr)', 'virtio_transport_test'],
	['a broken device keeps its queues', 'transport.c',
	 qr/vg_queue_disable\(&t->queue\[i\]\);/, ';', 'virtio_transport_test'],
	['the window in configuration space has no bounds', 'transport.c',
	 qr/offset >= NUM_AREAS \* AREA_SIZE \|\| /, '', 'virtio_transport_test'],
	['device configuration has no end', 'transport.c',
	 qr/ && at \+ size <= t->config_size(\)\s+val)/, sub { $1 }, 'virtio_transport_test'],

	['a resource that is about to be created is not given back', 'sched.c',
	 qr/return true;\t\/\* it may be about/, 'return !list_empty(&cmd->res->hw_node); /*',
	 'virtio_command_test'],
	['answers overtake one another', 'sched.c',
	 qr/cmd->guest && cmd->seq != v->answered\[cmd->queue\]/, 'false', 'virtio_command_test'],
	['answers carry no fences', 'command.c',
	 qr/cmd->resp->fence_id = cmd->hdr\.fence_id;/, '', 'virtio_command_test'],
	['a queue that has been reset gets old answers', 'command.c',
	 qr/cmd->epoch == q->epoch \?/, 'true ?', 'virtio_command_test'],
	['memory goes before the hardware has let go of it', 'resource.c',
	 qr/wait_for_completion\(&backing->off\);/, ';', 'virtio_revoke_test'],
	['memory goes because the hardware can\'t be told', 'sched.c',
	 qr/untake_effect\(cmd, false\)/, 'untake_effect(cmd, true)', 'virtio_revoke_test'],
	['memory that is back is not attached again', 'resource.c',
	 qr/vg_resource_misses\(\*res, type\) \?/, 'false ?', 'virtio_revoke_test'],
	['a transfer without memory is not tried again', 'command.c',
	 qr/if \(again\(cmd\)\)/, 'if (false)', 'virtio_revoke_test'],
	['only the first command without memory is tried again', 'command.c',
	 qr/cmd->came_back == res->came_back\)/, '!vg_resource_misses(res, cmd->hdr.type))',
	 'virtio_revoke_test'],
	['a command without memory is tried again for ever', 'command.c',
	 qr/cmd->retried = true;/, ';', 'virtio_blob_test'],
	['a reset waits for commands that wait', 'vgpu.c',
	 qr/vg_sched_wait\(v, true\)/, 'vg_sched_wait(v, false)', 'virtio_command_test'],
	['recovery forgets the backings', 'resource.c',
	 qr/if \(backing\)(\s+ret = ret \?: vg_cmd_list)/, sub { "if (false)$1" },
	 'virtio_gpu_test'],
	['recovery takes a blob for a picture', 'resource.c',
	 qr/if \(!res->is_blob\)(\s+\/\* they are)/, sub { "if (true)$1" }, 'virtio_blob_test'],
	['what the hardware does not offer is offered', 'vgpu.c',
	 qr/gpu->vdev->features & PASSED_ON/, 'PASSED_ON', 'virtio_blob_test'],
	['what the guest has not accepted is taken', 'command.c',
	 qr/v->t\.features & BIT_ULL\(known/, 'BIT_ULL(known', 'virtio_blob_test'],
	['a UUID does not reach the guest', 'sched.c',
	 qr/type == VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID \?/, 'false ?', 'virtio_blob_test'],
	['a blob may be in the hardware\'s memory', 'resource.c',
	 qr/req->blob_mem != [^|]*\|\|/, '', 'virtio_blob_test'],
	['a blob has any flags', 'resource.c',
	 qr/le32_to_cpu\(req->blob_flags\) & ~BLOB_FLAGS \|\| /, '', 'virtio_blob_test'],
	['a blob may be empty', 'resource.c', qr/ \|\| !req->size/, '', 'virtio_blob_test'],
	['a blob is larger than its memory', 'resource.c',
	 qr/res->is_blob && len < /, 'false && len < ', 'virtio_blob_test'],
	['a blob is told by the guest\'s name', 'resource.c',
	 qr/as\.blob\.blob_id = 0;/, '', 'virtio_blob_test'],
	['a blob that the hardware has refused is there', 'command.c',
	 qr/cmd->effect == VG_CREATES \|\|[^)]*\(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB\)/,
	 'cmd->effect == VG_CREATES', 'virtio_blob_test'],
	['a blob that was asked for twice stays after it has been refused', 'command.c',
	 qr/vg_cmd_queue\(unref\);/, 'vg_cmd_free(unref);', 'virtio_blob_test'],
	['a blob is only detached', 'resource.c',
	 qr/effect == VG_DETACHES && !res->is_blob/, 'effect == VG_DETACHES', 'virtio_blob_test'],
	['a blob that is away can\'t be given back', 'sched.c',
	 qr/\} else if \(cmd->res->is_blob\) \{/, '} else if (false) {', 'virtio_blob_test'],
	['a blob is not remembered', 'sched.c',
	 qr/(if \(!vg_cmd_failed\(cmd\)\)\s+)remember_resource\(cmd->res\);(\s+else)/,
	 sub { "$1;$2" }, 'virtio_blob_test'],
	['a blob that comes back is not shown', 'resource.c',
	 qr/vg_display_again\(res\);/, ';', 'virtio_blob_test'],
	['a blob that comes back is shown in spite of a later one', 'display.c',
	 qr/head->asked_res != res/, 'head->res != res', 'virtio_blob_test'],
	['a cursor comes from any blob', 'display.c',
	 qr/ \|\| !res->may_point/, '', 'virtio_blob_test'],
	['a cursor comes from parts of pages', 'resource.c',
	 qr/may_point &= IS_ALIGNED/, 'may_point |= IS_ALIGNED', 'virtio_blob_test'],
	['a cursor comes from many pages', 'resource.c',
	 qr/backing->len <= SZ_64K/, 'true', 'virtio_blob_test'],
	['a cursor gets any other backing', 'resource.c',
	 qr/res->is_blob && res->may_point && !backing->may_point/, 'false', 'virtio_blob_test'],
	['a picture is shown as a blob', 'display.c',
	 qr/blob != res->is_blob/, 'false', 'virtio_blob_test'],
	['a scanout may have any format', 'display.c',
	 qr/return vg_display_fourcc\(le32_to_cpu\(req->format\)\) &&/, 'return', 'virtio_blob_test'],
	['lines overlap', 'display.c', qr/ && stride >= width \* 4/, '', 'virtio_blob_test'],
	['a scanout goes on after the blob\'s end', 'display.c',
	 qr/offset \+ stride \* height <= size/, 'true', 'virtio_blob_test'],
	['a scanout\'s size wraps', 'display.c',
	 qr/offset \+ stride \* height <= size/, '(u32)(offset + stride * height) <= size',
	 'virtio_blob_test'],
	['a scanout is wider than its lines', 'display.c',
	 qr/\(u64\)(le32_to_cpu\(r->x\))/, sub { $1 }, 'virtio_command_test'],
	['a scanout is higher than the picture', 'display.c',
	 qr/\(u64\)(le32_to_cpu\(r->y\) \+)/, sub { $1 }, 'virtio_command_test'],
	['the VMM does not see where in a blob the picture is', 'display.c',
	 qr/blob \? le32_to_cpu\(req->offsets\[0\]\) : 0/, '0', 'virtio_blob_test'],
	['recovery forgets the cursor', 'display.c',
	 qr/if \(head->cursor_on && head->cursor_res\)/, 'if (false)', 'virtio_gpu_test'],
	['recovery shows a cursor that is hidden', 'display.c',
	 qr/head->cursor_on && head->cursor_res/, 'head->cursor_res', 'virtio_display_test'],
	['a cursor outlives its vGPU', 'display.c',
	 qr/if \(v->head\[i\]\.cursor_on\)/, 'if (v->head[i].cursor_res)', 'virtio_display_test'],
	['a suspended host makes a hang of a command', 'sched.c',
	 qr/gpu->recovering &&/, '', 'virtio_sched_test'],
	['who comes after a hang is to blame', 'sched.c',
	 qr/cmd && cmd == hung/, 'hung && cmd', 'virtio_sched_test'],
	['a vGPU may hang the hardware as often as it likes', 'sched.c',
	 qr/strike\(cmd->v\);/, '', 'virtio_sched_test'],
	['a guest never sees that its reset is over', 'command.c',
	 qr/t->status && vg_vgpu_banned/, 'vg_vgpu_banned', 'virtio_sched_test'],
	['what could not be given back is forgotten', 'resource.c',
	 qr/while \(!list_empty\(&v->hw_resources\)\)/, 'while (false)', 'virtio_sched_test'],
	['what is told again may hang it for ever', 'sched.c',
	 qr/strike\(cmd->v\);/, 'if (cmd->guest) strike(cmd->v);', 'virtio_sched_test'],
	['a reset lets a guest hang it again', 'gpu.h',
	 qr/READ_ONCE\(v->strikes\) >= VG_MAX_STRIKES/, 'false', 'virtio_sched_test'],
	['who hangs it does not pay', 'sched.c',
	 qr/v->vtime \+= price\(v, ktime_to_ns.*\);/, ';', 'virtio_sched_test'],
	['a long list costs what a short one does', 'sched.c',
	 qr/cmd->req_len \/ sizeof\(struct virtio_gpu_mem_entry\)/, '0', 'virtio_sched_test'],
	['the hardware is told the guests\' fences', 'sched.c',
	 qr/cpu_to_le64\(\+\+gpu->fences\)/, 'cmd->hdr.fence_id', 'virtio_command_test'],
	['what lies outside of a picture is transferred', 'command.c',
	 qr/r && !res->is_blob &&/, 'false &&', 'virtio_command_test'],
	['a transfer begins behind the backing', 'command.c',
	 qr/offset <= len && /, '', 'virtio_command_test'],
	['a transfer goes on behind the backing', 'command.c',
	 qr/ && 4 \* pixels <= len - offset/, '', 'virtio_command_test'],
	['a transfer of nothing has no rows', 'command.c',
	 qr/pixels = rows \?/, 'pixels = rows && req->r.width ?', 'virtio_command_test'],
	['a transfer is tried again whatever is attached now', 'command.c',
	 qr/ \|\| !in_backing\(res, cmd->req\)/, '', 'virtio_revoke_test'],
	['recovery transfers more than is attached', 'resource.c',
	 qr/min_t\(u64, rows, (le32_to_cpu\(res->picture\.height\))\)/, sub { $1 },
	 'virtio_command_test'],
	['what lies outside of a picture is shown', 'display.c',
	 qr/vg_display_within\(&req->r, res->picture.width, res->picture.height\)/, 'true',
	 'virtio_command_test'],
	['what is filled late is not shown', 'command.c',
	 qr/vg_display_again\(cmd->res\);/, '', 'virtio_revoke_test'],
	['a list that is not in guest memory is only refused', 'command.c',
	 qr/if \(ret < 0\)\n\t\tgoto err_free;\n(\tcmd = cmd)/,
	 sub { "if (ret < 0)\n\t\tret = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;\n$1" },
	 'virtio_command_test'],
	['weights do not count', 'sched.c',
	 qr/mvgpu_weight\(v->vgpu\)/, '100', 'virtio_sched_test'],
	['several large commands are in the way', 'sched.c',
	 qr/gpu->running_bytes < VG_BYTES/, 'true', 'virtio_sched_test'],
	['who is idle saves up', 'sched.c',
	 qr/v->pending\+\+ \?/, '(v->pending++, true) ?', 'virtio_sched_test'],
	['who is at leisure saves up', 'sched.c',
	 qr/min\(v->gpu->vtime, price\(v, CREDIT\)\)/, 'v->gpu->vtime', 'virtio_sched_test'],
	['a picture is as wide as it likes', 'resource.c',
	 qr/width > VG_MAX_EDGE \|\| /, '', 'virtio_command_test'],
	['a picture is as high as it likes', 'resource.c',
	 qr/ \|\| height > VG_MAX_EDGE/, '', 'virtio_command_test'],
	['the hardware\'s memory has no quota', 'resource.c',
	 qr/memory - v->memory/, 'memory', 'virtio_command_test'],
	['resources have no quota', 'resource.c',
	 qr/v->num_resources >= VG_MAX_RESOURCES/, 'false', 'virtio_command_test'],
	['ranges have no quota', 'resource.c',
	 qr/num <= VG_MAX_RANGES - v->num_ranges/, 'true', 'virtio_command_test'],
	['commands have no quota', 'command.c',
	 qr/v->taken\[queue\] - v->answered\[queue\] < VG_MAX_COMMANDS/, 'true',
	 'virtio_command_test'],
	['the guest notifies of what can only wait', 'command.c',
	 qr/v->taken\[queue\] - v->answered\[queue\] >= VG_DEPTH/, 'false', 'virtio_command_test'],
	['the guest is never asked to notify again', 'command.c',
	 qr/v->taken\[queue\] - v->answered\[queue\] >= VG_DEPTH/, 'true', 'virtio_command_test'],

	['a legacy GPU is taken', 'gpu.c', qr/!virtio_has_feature\(vdev, VIRTIO_F_VERSION_1\)/, 'false',
	 'virtio_gpu_test'],
	['a GPU that takes no long lists is taken', 'gpu.c',
	 qr/!virtio_has_feature\(vdev, VIRTIO_RING_F_INDIRECT_DESC\)/, 'false', 'virtio_gpu_test'],
	['a GPU on any bus is taken', 'gpu.c', qr/!dev_is_pci\(dev\)/, 'false',
	 'virtio_gpu_test'],
	['a GPU is taken that nobody has handed over', 'gpu.c', qr/!mvgpu_adopted\(&vdev->dev\)/, 'false',
	 'virtio_gpu_test'],
	['a GPU without heads is taken', 'gpu.c', qr/!scanouts \|\| /, '', 'virtio_gpu_test'],
	['a GPU has as many heads as it says', 'gpu.c', qr/ \|\| scanouts > VG_MAX_HEADS/, '',
	 'virtio_gpu_test'],
	['a GPU that does not answer is taken', 'gpu.c', qr/(what its heads are\\n"\);\s+)goto err_stop;/,
	 sub { $1 }, 'virtio_gpu_test'],
	['a GPU that is no parent goes on', 'gpu.c', qr/err_stop:\s+gpu_stop\(gpu\);/, 'err_stop:',
	 'virtio_gpu_test'],
	['a feature is not asked for', 'gpu.c', qr/VIRTIO_GPU_F_RESOURCE_UUID,\n\s+/, '',
	 'virtio_blob_test'],
	['a GPU that is silent is reset for ever', 'gpu.c', qr/gpu->silent >= VG_MAX_STRIKES/, 'false',
	 'virtio_sched_test'],
	['a GPU that answers is given up', 'sched.c', qr/gpu->silent = 0;/, '', 'virtio_sched_test'],
	['a GPU that does not come back is not given up', 'gpu.c',
	 qr/(come back: %d\\n", ret\);\s+)give_up\(gpu\);/, sub { $1 }, 'virtio_sched_test'],
	['a GPU that is gone is reset', 'gpu.c', qr/if \(!gone\(gpu\)\)/, 'if (true)',
	 'virtio_gpu_test'],
	['a GPU that is gone is restarted', 'gpu.c', qr/else if \(gone\(gpu\) \|\| READ/, 'else if (READ',
	 'virtio_gpu_test'],
	['who waits for a GPU that is gone waits for its driver to leave', 'gpu.c',
	 qr/if \(gone\(gpu\) \|\| gpu->stopped\)(\s+vg_gpu_recover)/, sub { "if (false)$1" }, 'virtio_gpu_test'],
	['a GPU is not given up while its driver leaves', 'gpu.c', qr/READ_ONCE\(gpu->leaving\)/, 'false',
	 'virtio_gpu_test'],
	['a GPU is reset whoever holds it', 'gpu.c', qr/!device_trylock\(dev\)/, '(device_trylock(dev), false)',
	 'virtio_gpu_test'],
	['who can\'t reset it does not try again', 'gpu.c',
	 qr/mod_delayed_work\(gpu->wq, &gpu->watchdog, HZ\);/, '{ }', 'virtio_gpu_test'],
	['its queues are used while they go', 'gpu.c', qr/memset\(gpu->vq, 0, sizeof\(gpu->vq\)\);/, '',
	 'virtio_gpu_test'],
	['what it has is taken back before it is reset', 'gpu.c',
	 qr/virtio_reset_device\(vdev\);(\s+vg_sched_requeue)/, sub { $1 }, 'virtio_gpu_test'],
	['an event is not cleared', 'gpu.c', qr/virtio_cwrite_le\(.*?\);/, '', 'virtio_display_test'],
	['any event is about heads', 'gpu.c', qr/!\(events & VIRTIO_GPU_EVENT_DISPLAY\)/, 'false',
	 'virtio_display_test'],
	['an event is lost if the GPU hangs', 'gpu.c', qr/ \|\| !get_display_info\(gpu\)/, '',
	 'virtio_display_test'],
	['a head stays when nobody looks any more', 'display.c', qr/enabled = cpu_to_le32\([^;]*;/,
	 'enabled = 1;', 'virtio_display_test'],
	['a head that nobody has looked at is not there', 'display.c',
	 qr/ \|\| !\(v->gpu->had_mode & BIT\(n\)\)/, '', 'virtio_display_test'],
	['a head goes without a word', 'display.c', qr/memcmp\(mode, &was, sizeof\(was\)\)/,
	 'memcmp(mode, &was, sizeof(was.r))', 'virtio_display_test'],
	['a GPU is asked for EDIDs that it has not', 'gpu.c',
	 qr/virtio_has_feature\(gpu->vdev, VIRTIO_GPU_F_EDID\)/, 'true', 'virtio_edid_test'],
	['the EDID of one head is asked for as all heads\'', 'gpu.c', qr/(scanout = cpu_to_le32\()head/,
	 sub { "${1}0" }, 'virtio_edid_test'],
	['an error is an EDID', 'gpu.c', qr/vg_cmd_execute\(cmd\)\)(\s+resp->size)/,
	 sub { "(vg_cmd_execute(cmd), false))$1" }, 'virtio_edid_test'],
	['a GPU that hangs on an EDID is asked for the next', 'gpu.c', qr/gpu->own\.struck != struck \|\| /,
	 '', 'virtio_edid_test'],
	['the guest hears of a change before the EDID is there', 'gpu.c', qr/gpu->had_mode \|= BIT\(i\);/,
	 'gpu->had_mode |= BIT(i); { struct vg_vgpu *v; list_for_each_entry(v, &gpu->vgpus, node) vg_display_changed(v); }',
	 'virtio_edid_test'],
	['another EDID comes without a word', 'display.c', qr/ \|\| v->gpu->new_edids & BIT\(n\)/, '',
	 'virtio_edid_test'],
	['the guest hears of an EDID for ever', 'gpu.c', qr/gpu->new_edids = 0;/, '', 'virtio_edid_test'],
	['a head has another one\'s monitor', 'display.c', qr/monitor\[mvgpu_head\(v->vgpu, i\)\]/, 'monitor[i]',
	 'virtio_edid_test'],
	['a monitor stays when nobody looks any more', 'display.c', qr/!v->mode\[i\]\.enabled \|\| /, '',
	 'virtio_edid_test'],
	['a monitor that is too wide is passed on', 'display.c', qr/width >= type->max_width \|\| /, '',
	 'virtio_edid_test'],
	['a monitor that is too high is passed on', 'display.c', qr/ \|\| height >= type->max_height/, '',
	 'virtio_edid_test'],
	['who asks frees what the interrupt still has', 'sched.c',
	 qr/list_del_init\(&cmd->node\);\t\/\* it may be freed/, '/*', 'virtio_display_test'],
	['memory is kept for a GPU that has been reset', 'sched.c',
	 qr/(unlink_waiting\(cmd\);\s+)off_if_new\(cmd\);/, sub { $1 }, 'virtio_sched_test'],

	['an EDID of a wrong size is passed on', 'edid.c', qr/size % MVGPU_EDID_SIZE == 0 &&/, '',
	 'virtio_edid_test'],
	['an EDID that is too long is passed on', 'edid.c', qr/size <= MVGPU_EDID_ROOM && /, '',
	 'virtio_edid_test'],
	['what does not begin as an EDID is passed on', 'edid.c',
	 qr/!memcmp\(edid, header, sizeof\(header\)\)/, 'true', 'virtio_edid_test'],
	['a shorter EDID is the same one', 'edid.c', qr/monitor->size == size && /, '', 'edid_test'],
	['another EDID is the same one', 'edid.c', qr/ && !memcmp\(monitor->edid, edid, size\)/, '',
	 'virtio_edid_test'],
	['the width loses its upper bits', 'edid.c',
	 qr/\(width >> 8\) << 4/, '0', 'edid_test'],
	['the blanking is not in the clock', 'edid.c',
	 qr/htotal \* \(height \+ vblank\)/, 'htotal * height', 'edid_test'],
);

ok build('all'), 'the binaries build' or BAIL_OUT('no binaries');
my ($mdev, $gvt) = (variable('MDEV'), variable('GVT'));
my ($folder) = variable('O');

# Build and run $test from a copy of the sources that $change has been applied to
sub try($name, $test, $change, $timeout)
{
	my $dir = "$folder/mutants/$name";
	remove_tree $dir;
	make_path $dir;
	# With their times, so that only what is changed is compiled again
	system('cp', '-pr', $mdev, $gvt, "$folder/kernel", $dir) == 0 or die "cannot copy to $dir";
	$change->($dir);
	build("MDEV=$dir/mdev", "GVT=$dir/virtio", "KO=$dir/kernel", "BIN=$dir", 'KFLAGS=-w', "$dir/$test") or return;
	return run("$dir/$test", $timeout);
}

# Replace what $pattern matches in a file; false unless that is exactly one place
sub replace($path, $pattern, $by)
{
	open my $in, '<', $path or die "$path: $!";
	my $text = do { local $/; <$in> };
	my $count = 0;
	$count++ while $text =~ /$pattern/g;
	$text =~ s/$pattern/ref $by ? $by->() : $by/e;
	open my $out, '>', $path or die "$path: $!";
	print $out $text;
	close $out or die "$path: $!";
	return $count == 1;
}

# Start $code in a child, which prints whether it passed and what it says
sub job($code)
{
	my $pid = open(my $out, '-|') // die "fork: $!";
	return $out if $pid;
	my ($ok, $said) = eval { $code->() };
	print $ok ? 'ok ' : 'not', ' ', $said // $@;
	close STDOUT;
	POSIX::_exit(0);
}

my @jobs;		# [ name, what runs it ]

for my $test (sort keys %{{ map { $_->[4] => 1 } @mutants }}) {
	push @jobs, ["$test passes where nothing is wrong", sub {
		my ($status, $tap, $err) = try("none-$test", $test, sub { }, 300);
		return defined $status && !$status, "$tap$err";
	}];
}

my $n = 0;
for (@mutants) {
	my ($what, $file, $pattern, $by, $test) = @$_;
	my $name = ++$n;
	push @jobs, ["$test notices: $what", sub {
		my $applied;
		my ($status, $tap, $err) = try($name, $test, sub ($dir) {
			my ($path) = grep { -f } map { "$dir/$_/$file" } qw(mdev virtio);
			$applied = $path && replace($path, $pattern, $by);
			# What was compiled with the header as it was
			remove_tree "$dir/kernel" if $file =~ /\.h$/;
		}, 30);
		return 0, "$file has changed: the mutant does not apply" if !$applied;
		return 0, 'the mutant does not build' if !defined $status;
		return 0, 'it did not' if !$status;
		return 1, join ', ', "status $status", $tap =~ /^not ok \d+ - (\w+)/mg,
			$err =~ /^(?:# shim: |.*runtime error: |SUMMARY: )(.*)/mg;
	}];
}

# Most of the tests' time is waiting: some run at once
my @running;
while (@jobs || @running) {
	while (@jobs && @running < 12) {
		my ($name, $code) = @{shift @jobs};
		push @running, [$name, job($code)];
	}
	my ($name, $out) = @{shift @running};
	my $said = do { local $/; <$out> } // '';
	close $out;
	my $passed = $said =~ s/^ok  //;
	ok $passed, $name;
	$passed ? note $said : diag $said =~ s/^not //r;
}
done_testing;
