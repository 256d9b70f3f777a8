#include "shared_memory.hpp"

#include "channel_request.hpp"
#include "databases.hpp"
#include "key_memory.hpp"
#include "marks.hpp"
#include "place.hpp"
#include "sessions.hpp"
#include "unstored.hpp"

namespace pgpubsub {
namespace {

const shared_part* const parts[] = {&databases_part, &marks_part, &sessions_part, &places_part, &unstored_part,
                                    &key_memory_part, &channel_requests_part};

bool is_attached = false;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

void request() {
    if (previous_request_hook != nullptr)
        previous_request_hook();
    for (const shared_part* part : parts)
        RequestAddinShmemSpace(part->size());
}

void attach() {
    if (previous_startup_hook != nullptr)
        previous_startup_hook();
    LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
    for (const shared_part* part : parts) {
        bool found;
        void* const memory = ShmemInitStruct(part->name, part->size(), &found);
        part->attach(memory, !found);
    }
    LWLockRelease(AddinShmemInitLock);
    is_attached = true;
}

}  // namespace

void define_shared_memory() {
    if (!process_shared_preload_libraries_in_progress)
        return;
    previous_request_hook = shmem_request_hook;
    shmem_request_hook = request;
    previous_startup_hook = shmem_startup_hook;
    shmem_startup_hook = attach;
}

bool has_shared_memory() { return is_attached; }

}  // namespace pgpubsub
