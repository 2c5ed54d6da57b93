/* Removes the words that no row of a task uses any more, piece by piece and while runs write. All rows are
 * read, without the lock; steps that have not ended, and later ones, are all that can use another word
 * meanwhile, and under the lock no more is looked at than what those wrote in the moments before. Nobody else
 * may remove steps meanwhile (store_batch_alone). Leaves two temporary tables on the connection. */
#pragma once
#include "format/sql.h"

int store_sweep_words(struct sql *db, struct error *err);
