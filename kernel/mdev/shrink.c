// SPDX-License-Identifier: GPL-2.0-only
/*
 * shrink.c - memory pressure empties the cache of idle pages. Owns mvgpu.shrinker.
 *
 * Nothing has been freed by the time that a scan returns: reclaim may hold the lock that
 * unpinning takes, so the tracker's work does it soon after. Scans therefore claim nothing.
 */
#include "device.h"

static struct mvgpu *shrinker_to_mvgpu(struct shrinker *shrinker)
{
#if MVGPU_HAVE_SHRINKER_ALLOC
	return shrinker->private_data;
#else
	return container_of(shrinker, struct mvgpu, shrinker);
#endif
}

static unsigned long shrink_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	return mvgpu_tracker_idle(&shrinker_to_mvgpu(shrinker)->tracker);
}

static unsigned long shrink_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	mvgpu_tracker_shrink(&shrinker_to_mvgpu(shrinker)->tracker, sc->nr_to_scan);
	return 0;
}

/* The tracker is there */
int mvgpu_shrink_init(struct mvgpu *vgpu)
{
	const char *name = dev_name(vgpu->vdev.dev);
	struct shrinker *shrinker;

#if MVGPU_HAVE_SHRINKER_ALLOC
	shrinker = shrinker_alloc(0, "mvgpu:%s", name);
	if (!shrinker)
		return -ENOMEM;
	shrinker->private_data = vgpu;
	vgpu->shrinker = shrinker;
#else
	shrinker = &vgpu->shrinker;
	shrinker->seeks = DEFAULT_SEEKS;
#endif
	shrinker->count_objects = shrink_count;
	shrinker->scan_objects = shrink_scan;
#if MVGPU_HAVE_SHRINKER_ALLOC
	shrinker_register(shrinker);
	return 0;
#else
	return register_shrinker(shrinker, "mvgpu:%s", name);
#endif
}

/* The tracker is still there */
void mvgpu_shrink_fini(struct mvgpu *vgpu)
{
#if MVGPU_HAVE_SHRINKER_ALLOC
	shrinker_free(vgpu->shrinker);
#else
	unregister_shrinker(&vgpu->shrinker);
#endif
}
