# Applied by install/librdkafka.sh to src/rdkafka_mock.c and src/rdkafka_mock_int.h before it compiles them (sed -i -s -f).
# The mock cluster keeps 5 MB of a partition and drops older messages without a word; and it looks for the message set of every
# fetch from the first one on, so that a backlog of 100,000 small sets takes minutes. There is no setting for either.

# 64 MB or a million sets.
s/mpart->max_size = 1024 \* 1024 \* 5;/mpart->max_size = 64 * 1024 * 1024;/
s/mpart->max_cnt  = 100000;/mpart->max_cnt  = 1000000;/

# Search from where the last one was found: consumers read in order.
/size_t max_cnt;/a\        struct rd_kafka_mock_msgset_s *found;
/TAILQ_REMOVE(&mpart->msgsets, mset, link);/i\        if (mpart->found == mset) mpart->found = NULL;
/^rd_kafka_mock_msgset_find(/,/^}/{
  s/TAILQ_FOREACH(mset, &mpart->msgsets, link) {/\
        mset = mpart->found ? mpart->found : TAILQ_LAST(\&mpart->msgsets, rd_kafka_mock_msgset_tailq_s);\
        while (mset \&\& mset->first_offset > offset) mset = TAILQ_PREV(mset, rd_kafka_mock_msgset_tailq_s, link);\
        for (; mset; mset = TAILQ_NEXT(mset, link)) {/
  s/return mset;/return ((rd_kafka_mock_partition_t *)mpart)->found = (rd_kafka_mock_msgset_t *)mset;/
}
