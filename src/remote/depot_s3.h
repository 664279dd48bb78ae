/* SPDX-License-Identifier: MIT */
#ifndef PX_REMOTE_DEPOT_S3_H
#define PX_REMOTE_DEPOT_S3_H
/*
 * The URL of a store that speaks S3:
 * s3://BUCKET/PREFIX?endpoint=URL&region=NAME. What it does not say is taken
 * from the environment, as other clients do: AWS_ENDPOINT_URL_S3,
 * AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION; and then it is Amazon's, in
 * us-east-1.
 *
 * Threads: any.
 */

#include "pycfs/util.h"

/* `rest` is what is behind s3://. 0 and, in a new string that the caller frees,
 * the region, a blank and the URL that the paths of objects are added to;
 * -EINVAL with a sentence in `why`; -ENOMEM. */
int px_depot_s3_base(const char *rest, char **ret, struct px_why *why);

#endif
